"""Our own weights files: there and back, known by their digest, refused when they are not what they say."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reference_models.checkpoints import (
    config_of,
    load_into,
    load_weights,
    read_card,
    read_model,
    save_weights,
    tensor_digest,
    write_model,
)
from reference_models.nn.autoencoder import TINY_AUTOENCODER, AutoencoderConfig
from univg_bench.errors import InputError


def tensors(seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(3, 2, generator=g),
        "bias": torch.randn(3, generator=g),
        "half": torch.randn((), generator=g).bfloat16(),
    }


def save(dest: Path, content: dict[str, Tensor]) -> None:
    save_weights(dest, content, preset="tiny-fb", part="unet", source="a test", settings={"widths": (1, 2)})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_what_is_saved_is_loaded_bit_by_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    content = {key: value.to(dtype) for key, value in tensors().items()}
    save(tmp_path / "unet.safetensors", content)
    loaded, card = load_weights(tmp_path / "unet.safetensors")
    assert loaded.keys() == content.keys()
    assert all(torch.equal(loaded[key], content[key]) and loaded[key].dtype == dtype for key in content)
    assert (card.preset, card.part, card.source) == ("tiny-fb", "unet", "a test")
    assert card.digest == tensor_digest(content)


def test_a_saved_file_may_be_read_by_whom_any_new_file_may(tmp_path: Path) -> None:
    save(tmp_path / "unet.safetensors", tensors())
    (tmp_path / "new").touch()
    assert (tmp_path / "unet.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_the_digest_sees_names_types_shapes_and_values_and_no_order() -> None:
    content = tensors()
    digest = tensor_digest(content)
    assert tensor_digest(dict(reversed(content.items()))) == digest
    others = [
        {**content, "weight": content["weight"].reshape(2, 3)},
        {**content, "weight": content["weight"].double()},
        {**content, "weight": content["weight"] + 1e-6},
        {("gewicht" if key == "weight" else key): value for key, value in content.items()},
    ]
    assert len({digest, *map(tensor_digest, others)}) == 5


def test_views_of_one_storage_are_saved_apart(tmp_path: Path) -> None:
    fused = torch.arange(12.0).reshape(6, 2)
    save(tmp_path / "w.safetensors", {"q": fused[:2], "k": fused[2:4], "t": fused.T, "whole": fused, "again": fused})
    loaded, _ = load_weights(tmp_path / "w.safetensors")
    assert torch.equal(loaded["k"], fused[2:4])
    assert torch.equal(loaded["t"], fused.T)


def test_equal_weights_are_kept_and_others_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "unet.safetensors"
    save(path, tensors())
    before = path.stat().st_mtime_ns
    save(path, tensors())
    assert path.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"found other weights in .* nothing is overwritten"):
        save(path, tensors(seed=1))
    assert torch.equal(load_weights(path)[0]["weight"], tensors()["weight"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path, bad: float) -> None:
    content = tensors()
    content["weight"][1, 1] = bad
    with pytest.raises(InputError, match="found 1 NaN or infinite numbers of 6 in weight of a test"):
        save(tmp_path / "unet.safetensors", content)
    assert not list(tmp_path.iterdir())


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found ids of type torch\.int64"):
        save(tmp_path / "unet.safetensors", {"ids": torch.arange(3)})


def test_a_changed_tensor_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "unet.safetensors"
    save(path, tensors())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="are not those that its header names"):
        load_weights(path)


def test_cut_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "unet.safetensors"
    save(path, tensors())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match="cannot read the weights"):
        read_card(path)
    save_file(tensors(), tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match=r"found no card in the header of .*univg-bench convert"):
        load_weights(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("change", [{"settings": "[1]"}, {"settings": "{"}, {"digest": None}, {"preset": None}])
def test_a_damaged_card_is_refused(tmp_path: Path, change: dict[str, str | None]) -> None:
    path = tmp_path / "unet.safetensors"
    save(path, tensors())
    with safe_open(path, framework="pt") as file:
        header = {key: value for key, value in {**file.metadata(), **change}.items() if value is not None}
    save_file(tensors(), path, metadata=header)
    with pytest.raises(InputError, match=r"the card in the header of .* is damaged"):
        read_card(path)


def test_a_network_is_filled_in_its_own_type_or_not_at_all(tmp_path: Path) -> None:
    path, net = tmp_path / "unet.safetensors", nn.Linear(2, 3).double()
    content = {key: tensors()[key].half() for key in ("weight", "bias")}
    save(path, content)
    load_into(net, path, part="unet")
    assert net.weight.dtype == torch.float64
    assert torch.equal(net.weight, content["weight"].double())
    with pytest.raises(InputError, match=r"found the unet of tiny-fb in .*, expected a vae"):
        load_into(net, path, part="vae")
    with pytest.raises(InputError, match="does not fit the network: 1 of another shape"):
        load_into(nn.Linear(4, 3), path, part="unet")


def test_a_configuration_comes_back_from_its_card(tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    save_weights(path, tensors(), preset="tiny", part="vae", source="a test", settings=asdict(TINY_AUTOENCODER))
    assert config_of(AutoencoderConfig, read_card(path).settings) == TINY_AUTOENCODER
    with pytest.raises(InputError, match="found settings that AutoencoderConfig does not take"):
        config_of(AutoencoderConfig, {"depth": 3})


@dataclass(frozen=True)
class Nested:
    pairs: tuple[tuple[float, float], ...] = ()


def test_lists_within_lists_become_tuples_again() -> None:
    nested = Nested(((1.1, 0.6), (1.2, 0.4)))
    assert config_of(Nested, json.loads(json.dumps(asdict(nested)))) == nested


def test_a_model_folder_says_which_parts_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no .*model\.json"):
        read_model(tmp_path)
    save(tmp_path / "unet.safetensors", tensors())
    write_model(tmp_path, {"preset": "tiny-fb", "parts": {"unet": {}}})
    model = read_model(tmp_path)
    assert (model.preset, model.parts) == ("tiny-fb", ("unet",))
    assert load_file(model.weights("unet")).keys() == tensors().keys()
    with pytest.raises(InputError, match=r"found no vae in .*it has unet"):
        model.weights("vae")
    (tmp_path / "unet.safetensors").unlink()
    with pytest.raises(InputError, match=r"found no .*unet\.safetensors, which .*model\.json names"):
        read_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        read_model(tmp_path)
