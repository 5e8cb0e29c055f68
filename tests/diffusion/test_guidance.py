"""Guidance with two weights, one, or any number is one formula; its special cases are the plain predictions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_models.diffusion import guidance, schedule
from reference_models.diffusion import parameterization as p

NULL, TEXT, IMAGE, OTHER = torch.randn(
    4, 2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64
).unbind(0)
weights = st.floats(0, 20)


@settings(max_examples=40, deadline=None)
@given(w_T=weights, w_I=weights)
def test_formula_of_the_paper(w_T: float, w_I: float) -> None:
    found = guidance.guide_text_image(NULL, TEXT, IMAGE, w_T=w_T, w_I=w_I)
    torch.testing.assert_close(found, NULL + w_T * (TEXT - NULL) + w_I * (IMAGE - NULL), rtol=1e-12, atol=1e-12)


def test_weights_zero_and_one_are_the_predictions_themselves() -> None:
    assert torch.equal(guidance.guide_text_image(NULL, TEXT, IMAGE, w_T=0, w_I=0), NULL)
    torch.testing.assert_close(guidance.guide_text_image(NULL, TEXT, IMAGE, w_T=1, w_I=0), TEXT)
    torch.testing.assert_close(guidance.guide_text_image(NULL, TEXT, IMAGE, w_T=0, w_I=1), IMAGE)


@settings(max_examples=40, deadline=None)
@given(w=weights)
def test_one_condition_is_the_special_case(w: float) -> None:
    joint = guidance.guide_jointly(NULL, TEXT, w=w)
    assert torch.equal(joint, guidance.guide(NULL, [(TEXT, w)]))
    assert torch.equal(joint, guidance.guide_text_image(NULL, TEXT, IMAGE, w_T=w, w_I=0))


def test_order_of_conditions_does_not_matter() -> None:
    pairs = [(TEXT, 9.5), (IMAGE, 5.5), (OTHER, 2.0)]
    torch.testing.assert_close(guidance.guide(NULL, pairs), guidance.guide(NULL, pairs[::-1]), rtol=1e-12, atol=1e-12)


def test_guiding_v_or_eps_or_x0_is_the_same() -> None:
    alpha, sigma = 0.6, 0.8
    x_t = OTHER

    def x0(v: torch.Tensor) -> torch.Tensor:
        return p.x0_from_v(v, x_t, alpha=alpha, sigma=sigma)

    guided_v = guidance.guide_text_image(NULL, TEXT, IMAGE, w_T=9.5, w_I=5.5)
    guided_x0 = guidance.guide_text_image(x0(NULL), x0(TEXT), x0(IMAGE), w_T=9.5, w_I=5.5)
    torch.testing.assert_close(x0(guided_v), guided_x0, rtol=1e-10, atol=1e-10)


def test_rescaling_fully_gives_each_sample_the_spread_of_its_conditioned_prediction() -> None:
    guided = guidance.guide_jointly(NULL, TEXT, w=12)
    rescaled = guidance.rescale_guidance(guided, TEXT, phi=1.0)
    torch.testing.assert_close(rescaled.std(dim=(1, 2, 3, 4)), TEXT.std(dim=(1, 2, 3, 4)))
    assert torch.equal(guidance.rescale_guidance(guided, TEXT, phi=0.0), guided)


def test_rescaling_lies_between_by_phi() -> None:
    guided = guidance.guide_jointly(NULL, TEXT, w=12)
    full = guidance.rescale_guidance(guided, TEXT, phi=1.0)
    torch.testing.assert_close(guidance.rescale_guidance(guided, TEXT, phi=0.7), 0.7 * full + 0.3 * guided)


def test_rescaling_a_sample_ignores_its_batch_and_keeps_the_dtype() -> None:
    guided = guidance.guide_jointly(NULL, TEXT, w=12)
    torch.testing.assert_close(
        guidance.rescale_guidance(guided, TEXT)[:1], guidance.rescale_guidance(guided[:1], TEXT[:1]), rtol=1e-12, atol=0
    )
    assert guidance.rescale_guidance(guided.bfloat16(), TEXT.bfloat16()).dtype == torch.bfloat16


def test_a_sample_without_spread_is_not_rescaled_to_nan() -> None:
    """A network at the start of its training emits zeros."""
    flat = torch.cat([torch.zeros_like(TEXT[:1]), TEXT[1:]])
    found = guidance.rescale_guidance(flat, TEXT)
    assert torch.equal(found[:1], flat[:1])
    assert found.isfinite().all()


def test_different_shapes_and_wrong_phi_are_refused() -> None:
    with pytest.raises(ValueError, match="expected equal shapes"):
        guidance.guide_jointly(NULL, TEXT[:1], w=2)
    with pytest.raises(ValueError, match="expected equal shapes"):
        guidance.rescale_guidance(NULL, TEXT[:1])
    with pytest.raises(ValueError, match=r"phi 1\.5"):
        guidance.rescale_guidance(NULL, TEXT, phi=1.5)


def test_null_image_leaves_text_guidance_alone() -> None:
    """F(I) with no image is F(0): then w_I has no effect, whatever it is."""
    both = guidance.guide_text_image(NULL, TEXT, NULL, w_T=9.5, w_I=5.5)
    assert torch.equal(both, guidance.guide_jointly(NULL, TEXT, w=9.5))


def test_two_evaluations_make_one_guided_step_of_the_solver() -> None:
    """Guidance sits inside the network that `denoiser` wraps."""
    vp = schedule.cosine()

    def network(x: torch.Tensor, t: int) -> torch.Tensor:
        return guidance.guide_jointly(0.1 * x, 0.2 * x, w=3.0)

    found = p.denoiser(network, vp, predicts="v")(OTHER, 500)
    torch.testing.assert_close(found.x0, (vp.alpha[500] - vp.sigma[500] * 0.4) * OTHER)
