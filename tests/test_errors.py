"""Errors name the value, what was expected and the remedy."""

import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import errors


@pytest.fixture
def menu():
    return errors.Menu("loss", {"hinge": 1, "wasserstein": 2, "least_squares": 3})


def test_a_menu_is_a_mapping_in_the_order_in_which_it_was_made(menu):
    assert list(menu) == ["hinge", "wasserstein", "least_squares"]
    assert dict(menu) == {"hinge": 1, "wasserstein": 2, "least_squares": 3}
    assert len(menu) == 3
    assert "hinge" in menu
    assert "hindge" not in menu
    assert menu.get("hindge", 0) == 0
    assert repr(menu) == "menu (loss): hinge, wasserstein, least_squares"


def test_a_menu_cannot_be_changed_from_outside():
    entries = {"a": 1}
    menu = errors.Menu("thing", entries)
    entries["b"] = 2
    assert list(menu) == ["a"]
    with pytest.raises(TypeError):
        menu["b"] = 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hindge", "no loss is named 'hindge'; did you mean 'hinge'? Known: hinge, wasserstein, least_squares"),
        ("zzzz", "no loss is named 'zzzz'; Known: hinge, wasserstein, least_squares"),
        (3, "no loss is named 3; Known: hinge, wasserstein, least_squares"),
        (["hinge"], "no loss is named ['hinge']; did you mean"),
    ],
)
def test_a_name_that_is_not_on_a_menu_is_answered_with_those_that_are(menu, name, message, as_users_see_it):
    with pytest.raises(KeyError) as caught:
        menu[name]
    assert isinstance(caught.value, errors.UnknownName)
    assert str(caught.value).startswith(message)  # as it is written: a KeyError would quote it
    assert caught.value.__suppress_context__


def test_a_suggestion_names_at_most_two():
    meant = errors.suggestion("rong", ["ring", "wrong", "long", "rung"])
    assert len(re.findall("'", meant.partition("?")[0])) == 4


@errors.named_keywords
@dataclass(frozen=True)
class Dials:
    lr_g: float = 1.0
    lr_d: float = 2.0


def test_a_keyword_that_a_dataclass_has_not_is_answered_with_those_that_it_has():
    assert Dials(3.0, lr_d=4.0) == Dials(lr_g=3.0, lr_d=4.0)
    with pytest.raises(
        TypeError, match=r"Dials has no field 'lr_h'; did you mean 'lr_.' or 'lr_.'\? Known: lr_g, lr_d"
    ):
        Dials(lr_h=1.0)
    with pytest.raises(TypeError, match="Known: lr_g, lr_d"):
        Dials(momentum=0.9)


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.split(jax.random.key(0), 3)])
def test_a_key_and_an_array_of_keys_pass(key):
    errors.check_key(key)
    jax.jit(errors.check_key)(key)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, r"0 \(int\)"),
        (None, r"None \(NoneType\)"),
        ("a", r"'a' \(str\)"),
        (np.zeros(2, np.uint32), r"a value \(ndarray\)"),
        (jnp.zeros(2, jnp.uint32), "a value"),  # the form keys had before they were typed
    ],
)
def test_what_is_no_key_is_named_with_the_way_to_make_one(value, shown):
    with pytest.raises(TypeError, match=rf"expected a random key, got {shown}.*make one with jax\.random\.key\(0\)"):
        errors.check_key(value)


@pytest.mark.parametrize("value", [1, 7, np.int32(3), np.int64(1), jnp.asarray(2)])
def test_whole_numbers_of_every_kind_pass(value):
    errors.check_count(value, "n")


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None, np.float32(2), np.array([1, 2]), jnp.asarray(0)])
def test_what_is_no_count_is_named_with_the_least_that_there_may_be(value):
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got"):
        errors.check_count(value, "batch_size")


def test_the_least_count_can_be_another():
    errors.check_count(0, "seed", least=0)
    with pytest.raises(ValueError, match="squares must be a whole number of at least 2, got 1"):
        errors.check_count(1, "squares", least=2)


def test_a_divergence_carries_where_it_began_and_what_was_good_before():
    error = errors.Diverged("diverged at step 7", step=7, state="good", history=[1.0])
    assert isinstance(error, RuntimeError)
    assert (str(error), error.step, error.state, error.history) == ("diverged at step 7", 7, "good", [1.0])
