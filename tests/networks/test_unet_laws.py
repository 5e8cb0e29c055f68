"""What holds for the UNet whatever its weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import group_norm

from reference_models.nn.attention import Condition, MultiConditionAttention, in_pieces
from reference_models.nn.growth import add_condition, drop_condition, grow_input
from reference_models.nn.norms import NATIVE_POSITIONS, group_norm_last
from reference_models.nn.unet3d import UNet3D
from tests.networks.unet_examples import CONTEXT, SMALL, image, inputs, noisy_unet, relative, text


@pytest.fixture(scope="module")
def unet() -> UNet3D:
    return noisy_unet(SMALL)


@torch.no_grad()
def test_a_null_image_is_an_absent_one_to_the_bit(unet: UNet3D) -> None:
    null = Condition("image", torch.zeros(2, 5, CONTEXT))
    absent = unet(**inputs(), conditions=[text()])
    assert torch.equal(unet(**inputs(), conditions=[text(), null]), absent)
    assert not torch.allclose(unet(**inputs(), conditions=[text(), image()]), absent)


@torch.no_grad()
def test_an_image_of_scale_zero_is_absent_and_conditions_come_in_any_order(unet: UNet3D) -> None:
    assert torch.equal(unet(**inputs(), conditions=[text(), image(scale=0.0)]), unet(**inputs(), conditions=[text()]))
    assert torch.equal(unet(**inputs(), conditions=[text(), image()]), unet(**inputs(), conditions=[image(), text()]))


@torch.no_grad()
def test_the_same_tokens_for_every_frame_are_tokens_of_the_clip(unet: UNet3D) -> None:
    clip = image()
    frames = Condition("image", clip.tokens[:, None].expand(-1, 5, -1, -1))
    once, each = (unet(**inputs(), conditions=[text(), condition]) for condition in (clip, frames))
    assert relative(each, once) < 1e-5


@torch.no_grad()
def test_cached_keys_and_values_change_no_bit(unet: UNet3D) -> None:
    conditions = [text(), image()]
    cache = unet.cache(conditions)
    assert torch.equal(unet(**inputs(), conditions=cache), unet(**inputs(), conditions=conditions))


@torch.no_grad()
def test_f_a_begins_as_f_b_whatever_is_concatenated(unet: UNet3D) -> None:
    given, conditions = inputs(), [text(), image()]
    grown = grow_input(unet, 8)
    y = grown(torch.cat([given["x"], torch.randn(given["x"].shape)], 2), given["t"], conditions, given["fps"])
    assert torch.equal(y, unet(**given, conditions=conditions))
    added = sum(p.numel() for p in grown.parameters()) - sum(p.numel() for p in unet.parameters())
    assert added == 32 * 4 * 9  # UniVG's own: 320 * 4 * 9 = 11,520


@torch.no_grad()
def test_a_new_condition_begins_with_the_keys_and_values_of_the_text(unet: UNet3D) -> None:
    grown = add_condition(unet, "depth")
    conditions = [text(), image()]
    assert torch.equal(grown(**inputs(), conditions=conditions), unet(**inputs(), conditions=conditions))
    for attention in grown.cross_attentions():
        assert torch.equal(attention.get_parameter("to_k_depth.weight"), attention.get_parameter("to_k.weight"))
        assert torch.equal(attention.get_parameter("to_v_depth.weight"), attention.get_parameter("to_v.weight"))
    same_as_text = Condition("depth", text().tokens)
    assert not torch.equal(grown(**inputs(), conditions=[text(), same_as_text]), grown(**inputs(), conditions=[text()]))


@torch.no_grad()
def test_f_sr_begins_as_f_b_without_an_image(unet: UNet3D) -> None:
    dropped = drop_condition(unet, "image")
    assert torch.equal(dropped(**inputs(), conditions=[text()]), unet(**inputs(), conditions=[text()]))
    assert not any("_ip" in key for key in dropped.state_dict())


@torch.no_grad()
def test_multi_condition_attention_is_the_sum_of_attentions_to_one(unet: UNet3D) -> None:
    attention: MultiConditionAttention = unet.cross_attentions()[0]
    x = torch.randn(2, 5, 63, 32)
    bias = attention.to_out(torch.zeros(32))
    both = attention(x, attention.keys_values([text(), image()]))
    apart = attention(x, attention.keys_values([text()])) + attention(x, attention.keys_values([image()])) - bias
    torch.testing.assert_close(both, apart)


@torch.no_grad()
def test_at_the_start_the_video_network_is_the_image_network_frame_by_frame() -> None:
    torch.manual_seed(4)
    fresh = UNet3D(SMALL).eval()
    assert not fresh(**inputs(), conditions=[text()]).any()  # the last layer is zero too
    torch.nn.init.normal_(fresh.out[2].weight)  # see through it
    given = inputs()
    whole = fresh(**given, conditions=[text(), image()])
    for frame in range(given["x"].shape[1]):
        alone = fresh(given["x"][:, frame : frame + 1], given["t"], [text(), image()], given["fps"])
        assert relative(whole[:, frame : frame + 1], alone) < 1e-5


@torch.no_grad()
def test_trained_frames_see_one_another(unet: UNet3D) -> None:
    given = inputs()
    changed = {**given, "x": given["x"].clone()}
    changed["x"][:, 4] += 1.0
    difference = unet(**given, conditions=[text()]) - unet(**changed, conditions=[text()])
    assert difference[:, 0].abs().max() > 1e-4


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_batch(unet: UNet3D) -> None:
    given, conditions = inputs(), [text(), image()]
    alone = unet(
        given["x"][1:], given["t"][1:], [replace(c, tokens=c.tokens[1:]) for c in conditions], given["fps"][1:]
    )
    assert relative(unet(**given, conditions=conditions)[1:], alone) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize(("frames", "size"), [(1, (8, 8)), (8, (1, 1)), (24, (5, 3)), (2, (90, 16))])
def test_any_number_of_frames_and_any_size(unet: UNet3D, frames: int, size: tuple[int, int]) -> None:
    given = inputs(frames, size)
    y = unet(**given, conditions=[text(), image()])
    assert y.shape == given["x"].shape
    assert y.isfinite().all()


@torch.no_grad()
def test_bfloat16_is_close_to_float32(unet: UNet3D) -> None:
    half = noisy_unet(SMALL).bfloat16()
    given = inputs()
    conditions = [replace(c, tokens=c.tokens.bfloat16()) for c in (text(), image())]
    y = half(given["x"].bfloat16(), given["t"], conditions, given["fps"])
    assert y.dtype == torch.bfloat16
    assert relative(y.float(), unet(**given, conditions=[text(), image()])) < 0.08


def test_recomputed_blocks_give_the_same_gradients() -> None:
    unet = noisy_unet(SMALL).train()  # with dropout: the same units must drop twice
    grads = []
    for recompute in (False, True):
        unet.gradient_checkpointing = recompute
        unet.zero_grad()
        torch.manual_seed(5)
        unet(**inputs(), conditions=[text(), image()]).square().mean().backward()
        grads.append([p.grad for p in unet.parameters()])
    assert all(a is not None and torch.equal(a, b) for a, b in zip(*grads, strict=True))


@torch.no_grad()
def test_dynamicrafters_learnt_scale_is_one_plus_a_tangent() -> None:
    unet = noisy_unet(replace(SMALL, learnable_image_scale=True))
    for attention in unet.cross_attentions():
        assert attention.alpha is not None
        attention.alpha.fill_(0.5)
    plain = noisy_unet(SMALL)
    plain.load_state_dict({key: value for key, value in unet.state_dict().items() if not key.endswith(".alpha")})
    scale = 1 + float(torch.tensor(0.5).tanh())
    scaled = plain(**inputs(), conditions=[text(), image(scale=scale)])
    assert relative(unet(**inputs(), conditions=[text(), image()]), scaled) < 1e-5


@torch.no_grad()
def test_compiles_without_a_graph_break() -> None:
    # Height and width no multiple of the strides: where a peer's log message breaks the graph
    unet = noisy_unet(replace(SMALL, channel_mult=(1, 1), attention_levels=()))  # the middle has transformers
    compiled = torch.compile(unet, fullgraph=True, backend="eager")
    conditions = [text(), image()]
    assert torch.equal(compiled(**inputs(), conditions=conditions), unet(**inputs(), conditions=conditions))


@torch.no_grad()
@pytest.mark.parametrize("positions", [1, 77, 1023, 1024, 3000])  # both sides of the change of kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_group_norm_with_channels_last_is_group_norm(positions: int, dtype: torch.dtype) -> None:
    norm = torch.nn.GroupNorm(8, 16).to(dtype)
    torch.nn.init.normal_(norm.weight)
    x = (3 + torch.randn(2, positions, 16)).to(dtype)
    wide = [tensor.double() for tensor in (x.movedim(-1, 1), norm.weight, norm.bias)]
    expected = group_norm(wide[0], 8, wide[1], wide[2], norm.eps).movedim(1, -1)
    native = positions >= NATIVE_POSITIONS  # less accurate: docs/findings.md 27
    tolerance = {torch.float32: 1e-4 if native else 1e-5, torch.float64: 1e-12, torch.bfloat16: 4e-2}[dtype]
    assert (group_norm_last(norm, x).double() - expected).abs().max() < tolerance


@torch.no_grad()
def test_pieces_make_the_whole() -> None:
    layer = torch.nn.Linear(8, 8).double()
    x = torch.randn(37, 5, 8).double()
    torch.testing.assert_close(in_pieces(layer, x, 2**17), layer(x), rtol=1e-14, atol=1e-14)  # 4 entries a piece
