"""Images streamed from the host: which ones come when, resuming in the middle of a piece, and what is put ahead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import data, nets, train
from gan_jax.train import Gan, Hyperparams

SIZE, PIECE = 100, 24
PIXELS = np.arange(SIZE, dtype=np.uint8)[:, None, None] + np.zeros((1, 2, 3), np.uint8)
LABELS = np.arange(SIZE) % 10
KEY = jax.random.key(4)


@pytest.fixture(scope="module", params=[1, 4])
def streamed(request):
    return data.stream(PIXELS, LABELS, piece=PIECE, block=request.param, name="numbers")


def test_a_pass_shows_each_image_once_and_the_next_in_another_order(streamed):
    assert streamed.pieces == SIZE // PIECE
    passes = [np.concatenate([streamed.rows(KEY, 4 * i + j) for j in range(4)]) for i in range(2)]
    for rows in passes:
        assert len(set(rows)) == len(rows) == SIZE // PIECE * PIECE
        assert set(rows) <= set(range(SIZE))
        # blocks stay together, and not in the file's order
        assert (np.diff(rows.reshape(-1, streamed.block), axis=1) == 1).all()
        assert (np.diff(rows[:: streamed.block]) < 0).any()
    assert (passes[0] != passes[1]).any()
    assert (streamed.rows(jax.random.key(5), 0) != streamed.rows(KEY, 0)).any()


def test_a_piece_is_its_rows_with_their_labels_whenever_it_is_asked_for(streamed):
    for number in (0, 3, 7, 0):
        rows, piece = streamed.rows(KEY, number), streamed.piece(KEY, number)
        np.testing.assert_array_equal(piece.images[:, 1, 2, 0], rows)
        np.testing.assert_array_equal(piece.labels, rows % 10)
    assert (piece.name, piece.peak, piece.shape) == ("numbers", 255, (6,))
    assert len(streamed._kept) == 2  # the device holds two pieces


def test_a_file_is_read_piece_by_piece(tmp_path):
    np.save(tmp_path / "pixels.npy", PIXELS)
    from_file = data.stream(tmp_path / "pixels.npy", LABELS, piece=PIECE)
    assert isinstance(from_file.images.base, np.memmap)
    in_memory = data.stream(PIXELS, LABELS, piece=PIECE)
    np.testing.assert_array_equal(from_file.piece(KEY, 2).images, in_memory.piece(KEY, 2).images)


def test_samples_are_drawn_from_all_images(streamed):
    samples = np.asarray(streamed.sample(KEY, 500))
    assert samples.shape == (500, 6)
    found = np.round((samples[:, 0] * 255 + 255) / 2).astype(int)
    assert set(found) <= set(range(SIZE))
    assert len(set(found)) > 0.95 * SIZE
    np.testing.assert_array_equal(samples, streamed.sample(KEY, 500))
    np.testing.assert_array_equal(streamed.sample_labelled(KEY, 500)[1], found % 10)
    assert streamed.classes == streamed.piece(KEY, 0).classes == 10


@pytest.fixture(scope="module")
def gan():
    return Gan(nets.mlp(2, 8, 6), nets.mlp(6, 8, 1), batch_size=8)


def start(gan):
    return train.init(gan, Hyperparams(), jax.random.key(0))


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(*(jax.tree.leaves(s.generator) for s in (one, other)), strict=True))


def test_training_draws_from_the_piece_whose_turn_it_is(gan, streamed):
    every = streamed.every(gan.batch_size)
    assert every == PIECE // 8
    whole, history = train.steps(gan, Hyperparams(), streamed, start(gan), 4 * every)
    state, losses = start(gan), []
    for number in range(4):
        piece = streamed.piece(state.key, number)
        state, part = train.steps(gan, Hyperparams(), piece, state, every)
        losses.append(part.loss_d)
    np.testing.assert_array_equal(history.loss_d, np.concatenate(losses))
    assert equal(whole, state)


def test_a_run_goes_on_bit_for_bit_in_the_middle_of_a_piece(gan, streamed):
    whole, history = train.steps(gan, Hyperparams(), streamed, start(gan), 20)
    parts = list(train.run(gan, Hyperparams(), streamed, start(gan), 20, chunk=7, progress=False))
    np.testing.assert_array_equal(history.loss_d, train.join([part for _, part in parts]).loss_d)
    assert equal(whole, parts[-1][0])
    fresh = data.stream(PIXELS, LABELS, piece=PIECE, block=streamed.block)  # as in a new process
    resumed, _ = train.steps(gan, Hyperparams(), fresh, parts[0][0], 13)
    assert equal(whole, resumed)


def test_the_next_piece_is_put_on_the_device_before_the_steps_are_waited_for(gan, monkeypatch):
    target, events = data.stream(PIXELS, piece=PIECE, steps=5), []
    rows = data.Stream.rows
    monkeypatch.setattr(data.Stream, "rows", lambda *asked: (events.append(int(asked[2])), rows(*asked))[1])
    taken = train.loops._taken
    monkeypatch.setattr(train.loops, "_taken", lambda *given: (events.append("waited"), taken(*given))[1])
    train.steps(gan, Hyperparams(), target, start(gan), 15)
    assert events == [0, 1, "waited", 2, "waited", 3, "waited"]


def test_what_does_not_fit_is_refused(gan, as_users_see_it):
    with pytest.raises(ValueError, match="bytes"):
        data.stream(PIXELS.astype(float))
    with pytest.raises(ValueError, match="100 images need as many"):
        data.stream(PIXELS, LABELS[:-1])
    with pytest.raises(ValueError, match="at most the 100 images there are; got 8192"):
        data.stream(PIXELS)
    with pytest.raises(ValueError, match="multiple of block, 7"):
        data.stream(PIXELS, piece=24, block=7)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        data.stream(PIXELS, piece=24, steps=0)
    target = data.stream(PIXELS, piece=24, name="many")
    with pytest.raises(TypeError, match=r"many is streamed .* stream.piece\(key, 0\)"):
        jax.jit(lambda key: target.sample(key, 3))(KEY)
    with pytest.raises(TypeError, match=r"many is streamed .* stream.piece\(key, 0\)"):
        train.sweep(gan, {"lr_g": jnp.array([1e-3])}, target, jax.random.split(KEY, 2), 3)
