"""One process or several: who computes which part of a batch, and how the gradients become one.

`torchrun` starts the processes. DDP keeps everything everywhere; FSDP2 cuts weights, gradients and the optimiser's
state into as many pieces as there are processes, for networks that do not fit otherwise. Checkpoints are the same for
all: whole tensors, so that a run may go on with another number of processes (then equal to rounding, not to the bit).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import torch
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from reference_models.nn.attention import MultiConditionAttention, SpatialTransformer, TemporalTransformer
from reference_models.nn.blocks import ResBlock
from reference_models.nn.unet3d import UNet3D

CPU = torch.device("cpu")
Parallel = Literal["ddp", "fsdp"]
# the others wait while the first process evaluates a milestone
PATIENCE = timedelta(hours=4)


@dataclass(frozen=True)
class World:
    """The processes of a run and this one's place among them."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU
    parallel: Parallel | None = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0


ALONE = World()


@contextmanager
def joined(parallel: Parallel, device: str) -> Iterator[World]:
    """Give the world that torchrun made, or a world of this process alone where it did not; leave it at the end.

    device: `cpu`, or `cuda`, of which every process takes its own.
    """
    if "RANK" not in os.environ:
        yield World(device=torch.device(device))
        return
    own = torch.device(device, int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield World(distributed.get_rank(), distributed.get_world_size(), own, parallel)
    finally:
        distributed.destroy_process_group()


def spread(unet: UNet3D, world: World, *, idle: bool = False) -> nn.Module:
    """Return what is called in place of the UNet; FSDP cuts the UNet's own parameters, so make the optimiser later.

    idle: some parameters may get no gradient in some steps.
    """
    if world.parallel is None:
        return unet
    if world.parallel == "ddp":
        return DistributedDataParallel(unet, find_unused_parameters=idle)
    assert world.parallel == "fsdp"
    mesh = distributed.device_mesh.init_device_mesh(world.device.type, (world.size,))
    for module in unet.modules():
        if isinstance(module, MultiConditionAttention):
            # its keys and values are computed before the blocks run, and its weights are needed again backwards,
            # where no hook sees those tensors: so it stays whole from one to the other
            fully_shard(module, mesh=mesh, reshard_after_forward=False)
            register_fsdp_forward_method(module, "keys_values")
    for module in unet.modules():
        if isinstance(module, (ResBlock, SpatialTransformer, TemporalTransformer)):
            fully_shard(module, mesh=mesh)
    fully_shard(unet, mesh=mesh)
    return unet


def only_adding(network: nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Give a context in which gradients are added up without being exchanged, but for the last batch of a step."""
    if isinstance(network, FSDPModule):
        network.set_requires_gradient_sync(last)
    elif isinstance(network, DistributedDataParallel) and not last:
        return network.no_sync()
    return nullcontext()


def local(tensor: Tensor) -> Tensor:
    """Return this process's piece of a tensor, a view; the tensor itself where it is whole."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor, on the CPU; every process has to ask for it."""
    found = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found.detach().cpu()


def like(full: Tensor, pattern: Tensor) -> Tensor:
    """Return a whole tensor cut and placed as `pattern` is."""
    if isinstance(pattern, DTensor):
        return distribute_tensor(full.to(pattern.device), pattern.device_mesh, pattern.placements)
    return full.to(pattern.device)


def everywhere(flag: bool, world: World) -> bool:
    """Return whether the flag is set in any process: one that is told to stop must not leave the others waiting."""
    if world.size == 1:
        return flag
    told = torch.tensor(int(flag), device=world.device)
    distributed.all_reduce(told, distributed.ReduceOp.MAX)
    return bool(told.item())


def gathered(values: Any, world: World) -> list[Any]:
    """Return the values of all processes, by rank."""
    if world.size == 1:
        return [values]
    found: list[Any] = [None] * world.size
    distributed.all_gather_object(found, values)
    return found
