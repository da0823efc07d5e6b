"""Fits: ways in which a concept's vector is learned on a layer, a file each.

`net2vec.tasks.fits.base.Fit` is what a fit offers; `net2vec.vocabulary.FITS` is the table of fits.
"""
