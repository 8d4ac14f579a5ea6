"""Variants by name."""

import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.variants.request import parse_variant, variant_names


def test_nothing_asked_for_is_everything_at_each_sparsity() -> None:
    assert variant_names((), (0.5, 0.8)) == (
        *("float32", "float16", "int8", "int8_qat"),
        *("pruned50", "pruned80", "pruned50_int8", "pruned80_int8"),
        "pruned80_qat",
    )
    assert variant_names(("pruned_qat",), (0.5, 0.8))[1:] == ("pruned50_qat", "pruned80_qat")


def test_float32_is_always_there_and_nothing_twice() -> None:
    assert variant_names(("int8", "pruned70_int8", "int8"), (0.5,)) == (
        *("float32", "int8", "pruned70_int8"),
    )


def test_a_name_says_what_is_done() -> None:
    qat = parse_variant("pruned80_qat")
    assert (qat.sparsity, qat.precision, qat.aware, qat.pruned) == (0.8, "int8", True, True)
    plain = parse_variant("pruned05")
    assert (plain.sparsity, plain.precision, plain.aware, plain.quantized) == (
        *(0.05, "float32"),
        *(False, False),
    )
    assert parse_variant("int8_qat").aware and not parse_variant("int8").pruned


@pytest.mark.parametrize("name", ["int4", "pruned", "pruned123", "pruned80_float16", ""])
def test_unknown_variants_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"unknown variant.*float16"):
        parse_variant(name)


@pytest.mark.parametrize("sparsity", [-0.1, 0.96, 1.0, 0.333, float("nan")])
def test_a_sparsity_is_a_whole_percentage_from_0_to_95(sparsity: float) -> None:
    with pytest.raises(InputError, match="sparsity"):
        variant_names(("pruned",), (sparsity,))


def test_a_percentage_in_a_name_is_a_sparsity_too() -> None:
    with pytest.raises(InputError, match=r"sparsity 0\.99"):
        parse_variant("pruned99_int8")
