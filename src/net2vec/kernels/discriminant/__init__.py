"""Linear discriminants from means and covariances, and steps from them to less log loss.

A concept's discriminant is

    w = (S + l I)^-1 d,        d = mean(x | foreground) - mean(x | background),

where x are the standardised activations of a cell of the grid. The means are over the cells of the
images that contain the concept, each cell counted by the share of it that the mask covers. S is the
covariance over the cells of all training images, which all concepts share. This is Fisher's
discriminant with a shrunk covariance: the direction in which foreground and background differ most
for the spread that activations have. Up to its length it is the least-squares fit of coded labels.

It is fast since sums are enough. A look at the activations of a concept's images gives d for all
folds of a cross-validation, each fold a difference of sums. S is factored once a layer and strength
l, for K^3 / 3, whatever the number of images. Factors are of single precision; the vector that is
kept is refined to double precision. Subsets of filters are least-squares problems in the same
numbers: `forward_order` adds the filter that most improves the fit, as orthogonal matching pursuit
does, and `backward_masks` removes those that are missed least, without a look at an image.

Least squares heed cells that are told apart already; the log loss heeds those that are not. A few
steps, preconditioned by the same factors, lead from the discriminant towards its least value.

A cell is an equal block of the image, and z is interpolated between the centres of cells.

| module | what it computes |
| --- | --- |
| `moments` | the covariance of a layer, block by block of images; sums of a concept's foreground |
| `low_rank` | the same for layers with too many filters for a matrix of all pairs |
| `ridge` | vectors of all filters and of subsets |
| `selection` | greedy forward selection and backward elimination |
| `steps` | steps from discriminants towards the least log loss |
| `maps` | z on the grid, to the same bits wherever it is computed; histograms and counts |
"""
