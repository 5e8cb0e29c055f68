"""Hugging Face's CLIP files are the same network: there and back to the bit, and refused with the wrong activation."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from univg_bench.errors import InputError
from univg_bench.features.clip import load_clip_tensors
from univg_bench.features.hugging_face_clip import from_hugging_face
from univg_bench.features.weights import Weights, container

SMALL: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def network(*, quick_gelu: bool = True) -> Any:
    torch.manual_seed(0)
    net = open_clip.CLIP(**copy.deepcopy(SMALL), quick_gelu=quick_gelu).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)  # biases start at zero, and zeros are easily mixed up
    return net


def hugging_face(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename open_clip's tensors as transformers' modeling_clip.py does, written down apart from our code."""
    out = {"logit_scale": state["logit_scale"]}
    out["text_projection.weight"] = state["text_projection"].t().contiguous()
    out["visual_projection.weight"] = state["visual.proj"].t().contiguous()
    text, vision = "text_model.embeddings.", "vision_model.embeddings."
    out[f"{text}token_embedding.weight"] = state["token_embedding.weight"]
    out[f"{text}position_embedding.weight"] = state["positional_embedding"]
    out[f"{text}position_ids"] = torch.arange(77)[None]
    out[f"{vision}class_embedding"] = state["visual.class_embedding"]
    out[f"{vision}patch_embedding.weight"] = state["visual.conv1.weight"]
    out[f"{vision}position_embedding.weight"] = state["visual.positional_embedding"]
    for kind in ("weight", "bias"):
        out[f"text_model.final_layer_norm.{kind}"] = state[f"ln_final.{kind}"]
        out[f"vision_model.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        out[f"vision_model.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
        for ours, theirs in (("transformer", "text_model"), ("visual.transformer", "vision_model")):
            for n in range(2):
                here, there = f"{ours}.resblocks.{n}", f"{theirs}.encoder.layers.{n}"
                for name, part in zip("qkv", state[f"{here}.attn.in_proj_{kind}"].chunk(3), strict=True):
                    out[f"{there}.self_attn.{name}_proj.{kind}"] = part.clone()
                out[f"{there}.self_attn.out_proj.{kind}"] = state[f"{here}.attn.out_proj.{kind}"]
                out[f"{there}.layer_norm1.{kind}"] = state[f"{here}.ln_1.{kind}"]
                out[f"{there}.layer_norm2.{kind}"] = state[f"{here}.ln_2.{kind}"]
                out[f"{there}.mlp.fc1.{kind}"] = state[f"{here}.mlp.c_fc.{kind}"]
                out[f"{there}.mlp.fc2.{kind}"] = state[f"{here}.mlp.c_proj.{kind}"]
    return out


def saved(folder: Path, act: str | None = "quick_gelu", architecture: str | None = None) -> Weights:
    path = folder / "model.safetensors"
    save_file(hugging_face(network().state_dict()), path)
    if act is not None:
        config = {"text_config": {"hidden_act": act}, "vision_config": {"hidden_act": act}}
        (folder / "config.json").write_text(json.dumps(config))
    return Weights("test", path, "0" * 64, container(path), "", architecture)


def test_the_same_weights_in_both_layouts_are_equal_to_the_bit(tmp_path: Path) -> None:
    expected = network().state_dict()
    got = load_clip_tensors(saved(tmp_path), quick_gelu=True)
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[key], value) for key, value in expected.items())


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_the_network_of_transformers_gives_the_same_embeddings(act: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is no part of the lock; install it beside to enable this"
    )
    tower = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    shared = {"hidden_act": act, "projection_dim": 24, **tower}
    config = transformers.CLIPConfig(
        text_config={"vocab_size": 49408, "max_position_embeddings": 77, "eos_token_id": 49407, **shared},
        vision_config={"image_size": 32, "patch_size": 8, **shared},
        projection_dim=24,
    )
    torch.manual_seed(1)
    theirs = transformers.CLIPModel(config).eval()
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    ours = network(quick_gelu=act == "quick_gelu")
    weights = Weights("test", path, "0" * 64, container(path), "", None)
    ours.load_state_dict(load_clip_tensors(weights, quick_gelu=act == "quick_gelu"))
    images = torch.randn(3, 3, 32, 32)
    tokens = open_clip.get_tokenizer("ViT-B-32")(["a dog", "a man plays the guitar", ""])
    with torch.inference_mode():
        pictures = theirs.get_image_features(pixel_values=images)
        texts = theirs.get_text_features(input_ids=tokens)
        torch.testing.assert_close(getattr(pictures, "pooler_output", pictures), ours.encode_image(images))
        torch.testing.assert_close(getattr(texts, "pooler_output", texts), ours.encode_text(tokens))


@pytest.mark.parametrize(("act", "quick_gelu"), [("gelu", True), ("quick_gelu", False)])
def test_another_activation_than_the_recipes_is_refused(tmp_path: Path, act: str, quick_gelu: bool) -> None:
    with pytest.raises(InputError, match=r"was trained with \w+, as config\.json beside it says, but the recipe"):
        load_clip_tensors(saved(tmp_path, act), quick_gelu=quick_gelu)


def test_gelu_with_gelu_is_read(tmp_path: Path) -> None:
    assert load_clip_tensors(saved(tmp_path, "gelu"), quick_gelu=False)


def test_without_a_configuration_nobody_knows_the_activation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no config\.json beside it that says which activation"):
        load_clip_tensors(saved(tmp_path, act=None), quick_gelu=True)
    # a published file is known, so its activation is
    assert load_clip_tensors(saved(tmp_path, act=None, architecture="ViT-B-32-quickgelu"), quick_gelu=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", None),  # transformers leaves out what is at its default
        ("[1]", "cannot read"),
        ("{", "cannot read"),
        ('{"text_config": {"hidden_act": "gelu"}}', "found hidden_act gelu, quick_gelu in"),
        ('{"text_config": {"hidden_act": "relu"}, "vision_config": {"hidden_act": "relu"}}', "found hidden_act relu"),
    ],
)
def test_the_configuration_is_read_with_care(tmp_path: Path, content: str, message: str | None) -> None:
    weights = saved(tmp_path, act=None)
    (tmp_path / "config.json").write_text(content)
    if message is None:
        assert load_clip_tensors(weights, quick_gelu=True)
    else:
        with pytest.raises(InputError, match=message):
            load_clip_tensors(weights, quick_gelu=True)


def test_a_query_without_its_key_is_refused() -> None:
    state = hugging_face(network().state_dict())
    del state["vision_model.encoder.layers.1.self_attn.k_proj.weight"]
    with pytest.raises(InputError, match=r"x has q and v of visual\.transformer\.resblocks\.1\.attn\.in_proj_weight"):
        from_hugging_face(state, source="x")
