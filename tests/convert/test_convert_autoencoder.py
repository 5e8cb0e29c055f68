"""Image autoencoders of two dialects: there and back, and the same pictures as diffusers'."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_models.convert.autoencoder import convert_vae, vae_config, vae_dialect, vae_dropped, vae_key_map
from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from tests.convert.published_like import fill
from univg_bench.errors import InputError

CONFIG = AutoencoderConfig(channels=32, channel_mult=(1, 2, 2), num_res_blocks=1)
OLDER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@pytest.fixture(scope="module")
def theirs() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that it imports
        from diffusers import AutoencoderKL
    net = AutoencoderKL(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
    )
    return fill(net, 0)


def loaded(tensors: dict[str, Tensor]) -> Autoencoder:
    converted = convert_vae(tensors, vae_dialect(tensors))
    net = Autoencoder(vae_config(converted))
    net.load_state_dict(converted)
    return net.eval().requires_grad_(False)


def test_pictures_and_latents_are_those_of_diffusers(theirs: Any) -> None:
    ours = loaded(theirs.state_dict())
    assert ours.config == CONFIG
    g = torch.Generator().manual_seed(0)
    images, latents = torch.rand(2, 3, 32, 48, generator=g) * 2 - 1, torch.randn(2, 4, 8, 12, generator=g)
    moments = theirs.encode(images).latent_dist
    mean, logvar = ours.moments(images)
    assert (mean - moments.mean).abs().max() <= 5e-6 * moments.mean.abs().max()
    assert (logvar - moments.logvar).abs().max() <= 5e-6 * moments.logvar.abs().max()
    decoded = theirs.decode(latents).sample
    assert (ours.decode(latents * CONFIG.scale_factor) - decoded).abs().max() <= 5e-6 * decoded.abs().max()


def test_our_weights_go_back_into_diffusers(theirs: Any) -> None:
    ours = fill(Autoencoder(CONFIG), 5)
    state = theirs.state_dict()
    back = {
        key: ours.state_dict()[own].reshape(state[key].shape)
        for key, own in vae_key_map(state.keys(), "diffusers").items()
    }
    other = type(theirs).from_config(theirs.config).eval().requires_grad_(False)
    other.load_state_dict(back)
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wanted = ours.encode(images) / CONFIG.scale_factor
    assert torch.allclose(other.encode(images).latent_dist.mode(), wanted, rtol=1e-5, atol=1e-6)


def test_older_names_of_attention_mean_the_same(theirs: Any) -> None:
    older = {}
    for key, value in theirs.state_dict().items():
        for new, old in OLDER.items():
            key = re.sub(rf"(attentions\.0)\.{re.escape(new)}\.", rf"\1.{old}.", key)
        older[key] = value
    assert older.keys() != theirs.state_dict().keys()
    state = loaded(older).state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded(theirs.state_dict()).state_dict().items())


def test_names_of_latent_diffusion_are_ours() -> None:
    net = fill(Autoencoder(CONFIG), 1)
    state = loaded(dict(net.state_dict())).state_dict()
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())


def test_every_level_of_the_decoder_is_found_from_the_other_end(theirs: Any) -> None:
    key_map = vae_key_map(theirs.state_dict().keys(), "diffusers")
    assert len(set(key_map.values())) == len(key_map)
    assert key_map["decoder.up_blocks.0.resnets.1.conv2.weight"] == "decoder.up.2.block.1.conv2.weight"
    assert key_map["decoder.up_blocks.2.resnets.0.conv_shortcut.bias"] == "decoder.up.0.block.0.nin_shortcut.bias"
    assert key_map["decoder.up_blocks.0.upsamplers.0.conv.weight"] == "decoder.up.2.upsample.conv.weight"
    assert key_map["encoder.mid_block.attentions.0.to_out.0.bias"] == "encoder.mid.attn_1.proj_out.bias"


def test_the_loss_of_its_training_is_dropped() -> None:
    assert vae_dropped(["loss.logvar", "encoder.conv_in.bias"]) == {"loss.logvar": "the loss of its training"}


def test_incomplete_and_foreign_autoencoders_are_refused(theirs: Any) -> None:
    state = dict(theirs.state_dict())
    del state["encoder.conv_in.weight"]
    with pytest.raises(InputError, match=r"has no encoder\.conv_in\.weight; the checkpoint is incomplete"):
        vae_config(convert_vae(state, "diffusers"))
    with pytest.raises(InputError, match="none of 1 keys is of an autoencoder"):
        vae_dialect({"encoder.layers.0.weight"})
    with pytest.raises(InputError, match="Stable Video Diffusion's decoder"):
        vae_dialect({"decoder.time_conv_out.weight"})
