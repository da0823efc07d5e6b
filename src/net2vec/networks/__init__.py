"""Networks, their layers and weights."""

from net2vec.networks.bases.attached import fit_bases, layer_info, with_bases
from net2vec.networks.bases.base import Basis
from net2vec.networks.bases.registry import absolute_basis, load_bases, save_bases
from net2vec.networks.batch_norm import (
    batch_norm_statistics,
    estimate_batch_norm,
    with_batch_norm_statistics,
)
from net2vec.networks.digest import DIGEST_VERSION
from net2vec.networks.layers.capture import capture_outputs, run_layers
from net2vec.networks.layers.grids import to_grid
from net2vec.networks.layers.independence import refuse_dependence
from net2vec.networks.layers.listing import LayerInfo, list_layers
from net2vec.networks.layers.modes import device_restored, evaluating
from net2vec.networks.layers.names import split_basis
from net2vec.networks.layers.parallel import parallel_replicas
from net2vec.networks.layers.selection import resolve_layers
from net2vec.networks.loading import load_network
from net2vec.networks.network import Network, network_from_module, usual_batch
from net2vec.networks.preprocessing import CustomPreprocessing, Preprocessing
from net2vec.networks.resizing import with_input_size
from net2vec.networks.sources.base import Entry, NetworkSource
from net2vec.networks.sources.registry import available_networks, network_source
from net2vec.networks.weights.hub import at_revision

__all__ = [
    "DIGEST_VERSION",
    "Basis",
    "CustomPreprocessing",
    "Entry",
    "LayerInfo",
    "Network",
    "NetworkSource",
    "Preprocessing",
    "absolute_basis",
    "at_revision",
    "available_networks",
    "batch_norm_statistics",
    "capture_outputs",
    "device_restored",
    "estimate_batch_norm",
    "evaluating",
    "fit_bases",
    "layer_info",
    "list_layers",
    "load_bases",
    "load_network",
    "network_from_module",
    "network_source",
    "parallel_replicas",
    "refuse_dependence",
    "resolve_layers",
    "run_layers",
    "save_bases",
    "split_basis",
    "to_grid",
    "usual_batch",
    "with_bases",
    "with_batch_norm_statistics",
    "with_input_size",
]
