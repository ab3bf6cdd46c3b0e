from __future__ import annotations

import math

import pytest

from tamis.budget import scaling
from tamis.errors import ConfigError

# Hoffmann et al. 2022, table 3 (approach 1) and table A3 (approach 3): parameters, FLOP, tokens.
APPROACH_1 = [
    (400e6, 1.92e19, 8.0e9),
    (1e9, 1.21e20, 20.2e9),
    (10e9, 1.23e22, 205.1e9),
    (67e9, 5.76e23, 1.5e12),
    (175e9, 3.85e24, 3.7e12),
    (280e9, 9.90e24, 5.9e12),
    (520e9, 3.43e25, 11.0e12),
    (1e12, 1.27e26, 21.2e12),
    (10e12, 1.30e28, 216.2e12),
]
APPROACH_3 = [
    (400e6, 2.21e19, 9.2e9),
    (1e9, 1.62e20, 27.1e9),
    (10e9, 2.46e22, 410.1e9),
    (67e9, 1.71e24, 4.1e12),
    (175e9, 1.26e25, 12.0e12),
    (280e9, 3.52e25, 20.1e12),
]


@pytest.mark.parametrize(("parameters", "flops", "tokens"), APPROACH_1)
def test_twenty_tokens_per_parameter_meets_the_published_points(parameters: float, flops: float, tokens: float) -> None:
    rule = scaling.rule("chinchilla")
    assert rule.tokens_for(parameters) == pytest.approx(tokens, rel=0.12)
    assert rule.optimum(flops)[0] == pytest.approx(parameters, rel=0.07)
    assert rule.parameters_for(rule.tokens_for(parameters)) == pytest.approx(parameters)


@pytest.mark.parametrize(("parameters", "flops", "tokens"), APPROACH_3)
def test_the_parametric_fit_meets_the_published_points(parameters: float, flops: float, tokens: float) -> None:
    rule = scaling.rule("chinchilla-fit")
    assert rule.optimum(flops)[0] == pytest.approx(parameters, rel=0.07)
    assert rule.tokens_for(parameters) == pytest.approx(tokens, rel=0.2)


def test_the_refit_agrees_with_the_model_that_was_trained() -> None:
    """At Chinchilla's budget the refit wants about 20 tokens per parameter, as its authors say."""
    parameters, tokens = scaling.rule("chinchilla-refit").optimum(5.76e23)
    assert 15 < tokens / parameters < 27
    assert 60e9 < parameters < 80e9


@pytest.mark.parametrize("name", scaling.rule_names())
def test_every_rule_is_consistent_with_itself(name: str) -> None:
    rule = scaling.rule(name)
    for flops in (1e19, 1e22, 1e25):
        parameters, tokens = rule.optimum(flops)
        assert rule.tokens_for(parameters) == pytest.approx(tokens, rel=1e-6)
        assert rule.parameters_for(tokens) == pytest.approx(parameters, rel=1e-6)
    assert rule.source


def test_a_parametric_optimum_is_the_least_loss_on_its_budget() -> None:
    rule = scaling.rule("chinchilla-fit")
    assert isinstance(rule, scaling.ParametricRule)
    parameters, tokens = rule.optimum(1e22)
    best = rule.loss(parameters, tokens)
    for factor in (0.8, 0.95, 1.05, 1.25):
        assert rule.loss(parameters * factor, tokens / factor) > best


def test_kaplan_spends_a_large_budget_on_parameters() -> None:
    """176B parameters were trained on about 300B tokens under it; Chinchilla wants ten times as many."""
    kaplan = scaling.rule("kaplan").tokens_for(176e9)
    assert kaplan < 300e9
    assert scaling.rule("chinchilla").tokens_for(176e9) > 10 * 300e9
    parameters, tokens = scaling.rule("kaplan").optimum(scaling.PF_DAY)
    assert (parameters, tokens) == (1.3e9, 2e10)


def test_repeated_text_is_worth_what_the_paper_says() -> None:
    assert scaling.effective_tokens(1.0, 4) == pytest.approx(3.73, abs=0.005)
    # Section 6: past about 40 epochs repeating is worthless; the limit is 1 + R*.
    assert scaling.effective_tokens(1.0, 1e6) == pytest.approx(16.387756)
    assert scaling.effective_tokens(1.0, 44) > 0.93 * 16.387756
    # At R = R* repetitions a repeated token is worth 1 − 1/e of a fresh one, on average.
    decay = 15.387756
    assert (scaling.effective_tokens(1.0, 1 + decay) - 1) / decay == pytest.approx(1 - 1 / math.e)
    assert scaling.effective_tokens(10.0, 0.25) == 2.5


def test_parameters_past_the_optimum_decay_too() -> None:
    rule = scaling.rule("chinchilla")
    assert scaling.effective_parameters(rule, 1e9, 20e9) == pytest.approx(1e9)
    assert scaling.effective_parameters(rule, 1e9, 400e9) == pytest.approx(1e9)
    assert scaling.effective_parameters(rule, 1e12, 20e9) == pytest.approx(6.309743e9, rel=1e-6)


def test_the_ladder_and_the_reference_costs() -> None:
    assert [(rung.parameters, rung.tokens) for rung in scaling.ladder()] == [
        (1.5e9, 20e9),
        (6.7e9, 134e9),
        (20e9, 400e9),
        (100e9, 2000e9),
        (500e9, 10000e9),
    ]
    rows = scaling.references()
    assert [row.hours for row in rows] == [4300, 22000, 134000]
    assert [round(100 * row.utilisation, 1) for row in rows] == [37.3, 32.5, 31.9]
    for row in rows:
        compute = scaling.flops(row.parameters, row.tokens)
        assert scaling.gpu_hours(compute, "A100", row.utilisation) == pytest.approx(row.hours)


def test_newer_machines_are_faster_by_their_peaks() -> None:
    hours = {gpu: scaling.gpu_hours(1e22, gpu, 0.4) for gpu in scaling.gpus()}
    assert hours["A100"] / hours["H100"] == pytest.approx(3.17, abs=0.01)
    assert hours["H100"] == hours["H200"]
    assert hours["H100"] / hours["B200"] == pytest.approx(2.27, abs=0.01)


def test_supply_says_what_a_language_can_feed() -> None:
    rule = scaling.rule("chinchilla")
    found = scaling.supply(50e9, rule, budget=scaling.flops(6.7e9, 134e9))
    assert found.once == pytest.approx(2.5e9)
    assert found.repeated == pytest.approx(2.5e9 * 3.7257, rel=1e-3)
    assert found.rungs == (True, False, False, False, False)
    assert found.repeated_rungs == (True, True, False, False, False)
    assert found.bound == "compute"
    assert scaling.supply(10e9, rule, budget=scaling.flops(6.7e9, 134e9)).bound == "data"
    assert scaling.supply(0, rule).once == 0


def test_unknown_names_are_errors_that_name_the_known() -> None:
    with pytest.raises(ConfigError, match="chinchilla-fit"):
        scaling.rule("chincilla")
    with pytest.raises(ConfigError, match="H200"):
        scaling.gpu_hours(1.0, "H20")
    with pytest.raises(ConfigError, match="utilisation"):
        scaling.gpu_hours(1.0, "A100", 0)
