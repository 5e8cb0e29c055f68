"""The Inception network of FID: from its weights file to a state dict, and what is another Inception refused.

Source: mseitzer/pytorch-fid (release `fid_weights`), converted from TensorFlow's graph of 2015-12-05, whose class layer
has 1,008 outputs. torchvision's Inception v3 has the same names, but 1,000 classes and another training.
"""

from __future__ import annotations

from torch import Tensor, nn

from univg_bench.errors import InputError
from univg_bench.features.tensors import check_tensors, read_tensors
from univg_bench.features.weights import Weights

CLASSES = 1008
_CLASS_LAYER = ("fc.weight", "fc.bias")


def load_inception_tensors(weights: Weights, net: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of FID's Inception for `net`, float32, under the file's own keys.

    net: the network that pytorch-fid patches together out of torchvision's (`Conv2d_1a_3x3` ... `Mixed_7c`); with or
    without the class layer `fc`, which FID does not use and which is left out then. The counters of batch norms are
    left out always, so load with strict=False: everything else is checked.

    Raises InputError for another Inception, and for keys or shapes that do not fit or values that are not finite.
    """
    if weights.architecture not in (None, "inception-fid"):
        raise InputError(
            f"FID needs weights of inception-fid, found {weights.name} of {weights.architecture} in {weights.path}"
        )
    tensors = {k: v.float() for k, v in read_tensors(weights).items() if not k.endswith("num_batches_tracked")}
    if "Conv2d_1a_3x3.conv.weight" not in tensors:
        raise InputError(f"{weights.path} holds no Inception v3: there is no key 'Conv2d_1a_3x3.conv.weight'")
    classes = tensors["fc.bias"].numel() if "fc.bias" in tensors else None
    if classes is not None and classes != CLASSES:
        raise InputError(
            f"{weights.path} is an Inception of {classes} classes (torchvision's has 1000), FID is defined on"
            f" TensorFlow's of 2015-12-05 with {CLASSES}; use pt_inception-2015-12-05-6726825d.pth"
        )
    expected = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    if not any(key in expected for key in _CLASS_LAYER):
        tensors = {key: value for key, value in tensors.items() if key not in _CLASS_LAYER}
    check_tensors(tensors, expected, source=str(weights.path))
    return tensors
