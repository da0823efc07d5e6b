"""Upsampled, thresholded maps and masks: what is stored, and what is never computed.

A filter k that is thresholded gives a boolean map B_k on the h x w grid of its layer. Every model
of a mask in this project is a weighted sum of upsampled maps,

    z = sum_k w_k up(B_k),

on the H x W pixels of a mask, where up() is bilinear interpolation with aligned corners. The
gradient of any loss of z with respect to the weights takes the same way back: with g = dL/dz,

    dL/dw_k = sum over pixels of  g * up(B_k)  =  sum over cells of  B_k * up'(g),

where up' is the transpose of up. Four facts make both cheap.

- **Maps are sparse** (`maps`). About 0.5 % of the entries of B are set, so a map is a list of
  active (filter, cell) entries; the sum over filters is one indexed sum on the grid.
- **Upsampling is linear and separable** (`upsample`). The filters are summed first, on the small
  grid, and one map is upsampled, first along the rows and then between them. Along an axis, output
  i lies at i (h - 1) / (H - 1), so all weights are integers over H - 1. Where the value itself
  decides whether a pixel is on, at exactly one half, it is computed in integers.
- **Most pixels have no gradient** (`strips`, `blocks`). The pixel rows between two rows of the
  grid form a strip. A strip whose two grid rows have no active filter has z = 0 and passes no
  gradient on; it is left out of the block. With few filters that removes most of the work. If the
  masks have the size of the grid, the block consists of active cells alone.
- **Between four cells z is bilinear** (`node_grid`, `nodes`). In such a square, p (1 - p) with
  p = sigmoid(z) is a smooth function, so its values at m x m Chebyshev nodes give the sum over all
  pixels of the square:

      sum_y t(y) a(y) f(y)  =  sum_n [sum_y t(y) l_n(y)] a(n) f(n)

  with the mask term t, the share a of a cell in a pixel, and the Lagrange polynomials l_n. The sums
  in brackets depend on the mask alone and are computed once for all steps of a fit. On a 13 x 13
  grid under 113 x 113 pixels, 36 nodes replace some 90 pixels of each square. Steeper squares get
  more nodes, the steepest all of their pixels.

Blocks hold a few images, so that the pixel arrays stay in the second-level cache of a processor.
Their arrays are padded to whole vectors: no value may depend, even in its last bit, on which other
images or problems are computed with it.
"""
