"""New networks from old ones that compute the same until they are trained on: F_A and F_SR out of F_B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from reference_models.nn.attention import MultiConditionAttention, branch_suffix
from reference_models.nn.unet3d import UNet3D, UNetConfig


def grow_input(unet: UNet3D, in_channels: int) -> UNet3D:
    """Return a UNet with more input channels, equal to `unet` to the bit whatever the new channels hold.

    The new part of the first convolution is zero, "to preserve the performance of the original model".

    Raises ValueError unless in_channels is more than the network has. Source: UniVG, section 3.2.
    """
    old = unet.config.in_channels
    if in_channels <= old:
        raise ValueError(f"cannot grow {old} input channels to {in_channels}; expected more than {old}")
    first = unet.get_parameter("input_blocks.0.0.weight")
    grown = torch.cat([first, first.new_zeros(first.shape[0], in_channels - old, *first.shape[2:])], dim=1)
    return _copied(unet, replace(unet.config, in_channels=in_channels), {"input_blocks.0.0.weight": grown})


def add_condition(unet: UNet3D, name: str) -> UNet3D:
    """Return a UNet with one more condition, whose W_K and W_V begin as those of the text.

    Without that condition it is equal to `unet` to the bit.

    Raises ValueError if the network has the condition. Source: UniVG, section 3.3.
    """
    if name in unet.config.conditions:
        raise ValueError(f"this network has a condition {name!r}; expected a name beside {unet.config.conditions}")
    cross = [place for place, module in unet.named_modules() if isinstance(module, MultiConditionAttention)]
    begin = {
        f"{place}.to_{part}{branch_suffix(name)}.weight": unet.get_parameter(f"{place}.to_{part}.weight")
        for place in cross
        for part in "kv"
    }
    return _copied(unet, replace(unet.config, conditions=(*unet.config.conditions, name)), begin)


def drop_condition(unet: UNet3D, name: str) -> UNet3D:
    """Return a UNet without a condition, equal to the bit to `unet` where that condition is absent.

    Raises ValueError if the network lacks the condition, or if it is the text. Source: UniVG, section 3.2 (F_SR).
    """
    if name not in unet.config.conditions or name == "text":
        raise ValueError(f"cannot drop the condition {name!r}; expected one of {unet.config.conditions[1:]}")
    kept = tuple(other for other in unet.config.conditions if other != name)
    return _copied(unet, replace(unet.config, conditions=kept), {})


def _copied(unet: UNet3D, config: UNetConfig, changed: Mapping[str, Tensor]) -> UNet3D:
    """Return a UNet of this config with the weights of `unet`, those in `changed` excepted."""
    with torch.device("meta"):
        copy = UNet3D(config)
    source = {**unet.state_dict(), **changed}
    copy.load_state_dict({key: source[key].detach().clone() for key in copy.state_dict()}, assign=True)
    copy.train(unet.training)
    return copy
