"""How much sooner a case is where the dense layers alone end up."""

from pipeline.experiments.fxcy.rows import convergence, worst


def test_fc_is_as_fast_as_itself() -> None:
    curves = [[0.5, 0.7, 0.7], [0.4, 0.6, 0.8]]
    found = convergence(curves, curves, 1.0)
    assert (found["epochs_to_fc"], found["faster_percent"], found["less_energy_percent"]) == (
        2.5,
        0.0,
        0.0,
    )


def test_epochs_count_until_the_first_accuracy_as_good_as_fc_s_best() -> None:
    fc = [[0.5, 0.6, 0.8, 0.7]]  # best after 3 epochs
    found = convergence(fc, [[0.8, 0.1, 0.9, 0.9]], 2.0)
    assert found["epochs_to_fc"] == 1
    assert found["faster_percent"] == round(100 * (1 - 1 / 3), 4)
    assert found["less_energy_percent"] == round(100 * (1 - 2 / 3), 4)


def test_a_dearer_case_may_take_more_energy() -> None:
    found = convergence([[0.5, 0.6]], [[0.5, 0.6]], 3.0)
    assert (found["faster_percent"], found["less_energy_percent"]) == (0.0, -200.0)


def test_half_of_the_seeds_are_enough_and_fewer_are_not() -> None:
    fc = [[0.5, 0.9]] * 4
    yes, no = [0.9, 0.9], [0.1, 0.8]
    found = convergence(fc, [yes, yes, no, no], 1.0)
    assert (found["seeds_to_fc"], found["epochs_to_fc"]) == (2, 1)
    assert convergence(fc, [yes, no, no, no], 1.0) == {
        "seeds_to_fc": 1,
        "epochs_to_fc": None,
        "faster_percent": None,
        "less_energy_percent": None,
    }


def test_the_worst_person_is_worst_in_the_mean_over_seeds() -> None:
    seeds = [{"anna": 0.9, "bert": 0.2}, {"anna": 0.1, "bert": 0.9}]
    assert worst(seeds) == ("anna", 0.5)
