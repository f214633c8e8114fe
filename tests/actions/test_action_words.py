"""Descriptions in words: scores as the encoder gives them, cues that stand out, models that need their encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cueflow.flows.actions.features import feature_setting
from cueflow.schemas.errors import ConfigError, ModelError
from cueflow.tasks.actions.data.prompts import Prompts, read_prompts, words_sha256
from cueflow.tasks.actions.judge.evaluate import judge
from cueflow.tasks.actions.judge.metrics import frame_ap
from cueflow.tasks.actions.learn.training import train
from cueflow.tasks.actions.look.words import Words, find_cues
from cueflow.tasks.actions.store.files import load_model, prompts_of, save_model

PROMPTS = Prompts((("touch", ("a hand on a face", "a person on a hand")), ("nod", ("a person nods",))))


def pictures(count, side=56):
    return np.random.default_rng(0).integers(0, 255, (count, side, side, 3), dtype=np.uint8)


def test_scores_are_the_cosines_that_the_model_itself_gives(words_folder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    shown = pictures(3)
    found = Words(words_folder, PROMPTS).scores(shown)
    model, tokenizer = AutoModel.from_pretrained(words_folder).eval(), AutoTokenizer.from_pretrained(words_folder)
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    pixels = (torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.inference_mode():
        text = tokenizer("a person nods", return_tensors="pt")
        known = {n: text[n] for n in ("input_ids", "attention_mask")}
        said = model.get_text_features(**known).pooler_output
        seen = model.get_image_features(pixel_values=pixels).pooler_output
        expected = torch.nn.functional.cosine_similarity(seen, said).numpy()
    assert found.shape == (3, 2)
    assert found[:, 1] == pytest.approx(expected, abs=1e-5)
    assert np.ptp(found[:, 0]) > 0


def test_a_phrase_said_twice_counts_once_and_others_are_averaged(words_folder):
    shown = pictures(2)
    one, twice, other = (
        Words(words_folder, Prompts((("x", phrases),))).scores(shown)
        for phrases in (("a hand",), ("a hand", "a hand"), ("a hand", "a chair"))
    )
    assert twice == pytest.approx(one, abs=1e-6)
    assert np.abs(other - one).max() > 1e-4


def test_the_hash_knows_weights_and_phrases(words_folder, tiny_folder, tmp_path):
    before = words_sha256(words_folder, PROMPTS)
    assert words_sha256(words_folder, Prompts(PROMPTS.phrases[:1])) != before
    with pytest.raises(ModelError, match="no dual encoder"):
        words_sha256(tmp_path, PROMPTS)
    with pytest.raises(ModelError, match="dual encoder"):
        Words(tiny_folder, PROMPTS)


@pytest.mark.parametrize(
    "text", ["", "- a", "touch: 3", "touch: []", "touch: ['']", "3: a hand", "a: [b", "touch: [1]"]
)
def test_a_file_that_holds_no_prompts_is_refused(tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"p\.yaml"):
        read_prompts(tmp_path / "p.yaml")


def test_phrases_are_read_one_or_many(tmp_path):
    (tmp_path / "p.yaml").write_text("touch: [a hand on a face, a person on a hand]\nnod: a person nods\n")
    assert read_prompts(tmp_path / "p.yaml") == PROMPTS


def test_cues_stand_out_of_their_own_recording():
    rng, times = np.random.default_rng(3), np.arange(240) / 2
    scores = rng.normal(0.2, 0.01, (240, 2))
    scores[100:120, 1] += 0.08
    found = find_cues(times, scores, ("nod", "touch"), rate_hz=2.0)
    assert [c.label for c in found] == ["touch"]
    assert found[0].start_s == pytest.approx(50, abs=1)
    assert found[0].end_s == pytest.approx(60, abs=1)
    assert found[0].stands_out > 3
    assert find_cues(times, np.full((240, 1), 0.3), ("nod",), rate_hz=2.0) == ()


def spoken(clip):
    """A clip whose class "look" shows in what an encoder says, and in nothing else."""
    rng = np.random.default_rng(len(clip.session_id) + 7)
    times = clip.features.times_s
    on = np.any([(times > a.start_s) & (times < a.end_s) for a in clip.actions if a.label == "look"], axis=0)
    words = np.stack([0.2 + 0.05 * on, np.full(len(times), 0.1)], axis=1) + rng.normal(0, 0.01, (len(times), 2))
    return replace(clip, features=replace(clip.features, words=words.astype(np.float32)))


def test_a_model_learns_from_words_and_needs_their_encoder_again(clips, setting, quick, words_folder, tmp_path):
    told = replace(setting, appearance=False, words_sha256=words_sha256(words_folder, PROMPTS), prompts=PROMPTS.phrases)
    model = train([spoken(c) for c in clips[:10]], ("back", "look", "there"), told, options=quick)
    answers = [judge(model, spoken(c)) for c in clips[10:]]
    scores, truth = (np.concatenate([getattr(a, n) for a in answers]) for n in ("probability", "truth"))
    assert frame_ap(scores, truth)[1] > 0.9
    save_model(model, tmp_path / "m")
    assert prompts_of(tmp_path / "m") == PROMPTS
    again = load_model(tmp_path / "m", backbone_sha256=told.backbone_sha256, words_sha256=told.words_sha256)
    assert judge(again, spoken(clips[11])).probability == pytest.approx(answers[-1].probability, abs=1e-5)
    with pytest.raises(ModelError, match="encoder of words"):
        load_model(tmp_path / "m", backbone_sha256=told.backbone_sha256)


def test_an_encoder_without_prompts_is_refused(words_folder):
    with pytest.raises(ConfigError, match="go together"):
        feature_setting(words=words_folder)
