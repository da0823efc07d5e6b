"""Networks, their layers and weights."""

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
    "CustomPreprocessing",
    "Entry",
    "LayerInfo",
    "Network",
    "NetworkSource",
    "Preprocessing",
    "at_revision",
    "available_networks",
    "batch_norm_statistics",
    "capture_outputs",
    "device_restored",
    "estimate_batch_norm",
    "evaluating",
    "list_layers",
    "load_network",
    "network_from_module",
    "network_source",
    "parallel_replicas",
    "refuse_dependence",
    "resolve_layers",
    "run_layers",
    "to_grid",
    "usual_batch",
    "with_batch_norm_statistics",
    "with_input_size",
]
