"""Pictures are well-formed SVG that says what went in; pixels and numbers are checked, looks were looked at."""

from __future__ import annotations

import base64
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from bpetok.nn import random_model
from bpetok.nn.errors import InputError
from bpetok.nn.memory_picture import memory
from bpetok.nn.pictures import attention, probabilities, token_labels
from bpetok.nn.read_config import config_from_json
from bpetok.nn.svg import BLUES, REDS, Drawing, colour, png, shade, width_of

SVG = "{http://www.w3.org/2000/svg}"
GPT2 = {"model_type": "gpt2"}
MAMBA = {"model_type": "mamba"}


def parse(drawing: Drawing) -> ET.Element:
    root = ET.fromstring(str(drawing))
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def pixels(data: bytes) -> np.ndarray:
    """Decode what `png` writes: one IDAT chunk, 8-bit colour, no filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind] = body
        at += 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    assert list(chunks)[-1] == b"IEND"
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def images(root: ET.Element) -> list[np.ndarray]:
    return [
        pixels(base64.b64decode(node.attrib["href"].partition(",")[2]))
        for node in root.iter(f"{SVG}image")
    ]


def test_png_gives_its_pixels_back() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(pixels(png(image)), image)


@pytest.mark.parametrize("ramp", [BLUES, REDS])
def test_ramps_darken_steadily_and_text_on_them_is_readable(ramp) -> None:
    light = shade(np.linspace(0, 1, 101), ramp) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(light) < 0).all()
    assert light[0] == pytest.approx(255)
    for value in np.linspace(0, 1, 21):
        fill, ink = (
            np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) / 255 for c in colour(value, ramp)
        )
        linear = [
            np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (fill, ink)
        ]
        bright, dark = sorted((float(c @ (0.2126, 0.7152, 0.0722)) for c in linear), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) > 3  # WCAG's contrast for large text


def test_an_attention_map_has_the_weights_of_its_head() -> None:
    maps = np.tril(np.random.default_rng(0).random((3, 6, 6)))
    maps /= maps.sum(-1, keepdims=True)
    labels = ["The", "␣cat", "␣<&>", "␣sat", "␣on", "extraordinarily"]
    root = parse(attention(maps, labels, title='Layer 3 of "x"'))
    *heads, _legend = images(root)
    assert len(heads) == 3
    for head, image in zip(maps, heads, strict=True):
        cell = image.shape[0] // 6
        middle = image[cell // 2 :: cell, cell // 2 :: cell]
        np.testing.assert_array_equal(middle[head > 0], shade(np.sqrt(head[head > 0])))
        assert (middle[head == 0] == (240, 241, 243)).all()  # what cannot be seen
    found = texts(root)
    assert found.count("␣<&>") == 1 + 3
    assert found.count("extraordina…") == 1 + 3
    assert {"head 0", "head 1", "head 2", 'Layer 3 of "x"'} <= set(found)


def test_one_map_and_cross_attention_need_no_heads() -> None:
    root = parse(attention(np.full((2, 3), 1 / 3), ["a", "b"], ["x", "y", "z"]))
    assert [image.shape[:2] for image in images(root)[:-1]] == [(52, 78)]
    assert "head 0" not in texts(root)
    assert {"a", "b", "x", "y", "z"} <= set(texts(root))


def test_long_texts_get_fewer_labels() -> None:
    root = parse(attention(np.eye(200), [f"t{i}" for i in range(200)]))
    labels = [text for text in texts(root) if text.startswith("t")]
    assert 40 < len(labels) < 200
    assert len(labels) == 2 * len(set(labels))


def test_the_map_of_a_model_can_be_drawn() -> None:
    c = config_from_json(
        {**GPT2, "vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 8}
    )
    trace = random_model(c).trace(np.arange(5)[None])
    parse(attention(trace["attention"][1, 0], list("abcde")))


def test_labels_show_every_token() -> None:
    class Tok:
        tokens = (
            b"The",
            b" the",
            b"\n\n",
            b"\t",
            b"\xe6\xbc",
            "漢".encode(),
            b"\x00",
            "\u200b".encode(),
        )

        def token_bytes(self, token: int) -> bytes:
            return self.tokens[token]

    expected = ["The", "␣the", "⏎⏎", "⇥", "\\xe6\\xbc", "漢", "\\x00", "\\x200b"]
    assert token_labels(Tok(), np.arange(8)) == expected


def test_probabilities_colour_every_token_and_tell_the_mean() -> None:
    logs = np.log([0.5, 0.25, 2.0**-30])
    root = parse(probabilities([np.nan, *logs], ["It", "␣was", "⏎", "<b>"]))
    boxes = [node for node in root.iter(f"{SVG}rect") if node.find(f"{SVG}title") is not None]
    assert [box.attrib["fill"] for box in boxes] == [
        "#e4e7ec",
        *(colour(b / 12, REDS)[0] for b in (1, 2, 30)),
    ]
    tips = [box.find(f"{SVG}title").text for box in boxes]
    assert tips[0] == "It: no number"
    assert tips[1] == " was: probability 0.5, 1.00 bits"
    assert "11.00 bits a token on average" in texts(root)
    assert float(boxes[3].attrib["y"]) > float(boxes[2].attrib["y"])  # a newline starts a line


def test_a_long_text_wraps_inside_its_width() -> None:
    root = parse(probabilities(np.full(300, -1.0), ["␣漢字かな"] * 300, width=400))
    boxes = [node.attrib for node in root.iter(f"{SVG}rect") if "rx" in node.attrib]
    assert len(boxes) == 300
    assert all(float(b["x"]) + float(b["width"]) <= 400 for b in boxes)
    assert max(float(b["y"]) for b in boxes) < float(root.attrib["height"])


def test_memory_grows_for_attention_and_not_for_a_state() -> None:
    windowed = {"model_type": "mistral", "sliding_window": 1000}
    root = parse(memory({"GPT-2": GPT2, "Mamba": MAMBA, "window": windowed}, 100_000))
    rise = {}
    for node in root.iter(f"{SVG}polyline"):
        points = np.array([point.split(",") for point in node.attrib["points"].split()], float)
        rise[node.find(f"{SVG}title").text] = -np.diff(points[:, 1])
    assert (rise["GPT-2"] > 0).all()
    assert not rise["Mamba"].any()
    full = int((rise["window"] > 0).sum())  # 1,000 tokens are half way from 10 to 100,000
    assert (rise["window"][:full] > 0).all()
    assert not rise["window"][full:].any()
    assert abs(full / len(rise["window"]) - 0.5) < 0.05
    # At the right end the numbers themselves: 2 x 12 layers x 768 x 2 bytes x 100,000 tokens.
    assert {"3.69 GB", "GPT-2", "Mamba", "tokens read"} <= set(texts(root))


def test_a_line_on_another_is_dashed_as_long_as_they_agree() -> None:
    full, windowed = (
        {"model_type": "mistral", "sliding_window": None},
        {"model_type": "mistral", "sliding_window": 1000},
    )
    root = parse(memory({"full": full, "windowed": windowed}, 100_000))
    parts = [
        (node.find(f"{SVG}title").text, "stroke-dasharray" in node.attrib)
        for node in root.iter(f"{SVG}polyline")
    ]
    assert parts == [("full", False), ("windowed", True), ("windowed", False)]


def test_a_picture_saves_and_shows_itself(tmp_path) -> None:
    drawing = memory({"GPT-2": GPT2})
    drawing.save(tmp_path / "m.svg")
    assert (tmp_path / "m.svg").read_text("utf-8") == f"{drawing}\n" == drawing._repr_svg_() + "\n"


def test_a_picture_is_not_saved_under_another_format_s_name(tmp_path) -> None:
    with pytest.raises(InputError, match=r"SVG, not \.png"):
        memory({"GPT-2": GPT2}).save(tmp_path / "m.PNG")


def test_control_characters_never_reach_the_file() -> None:
    drawing = Drawing(10, 10, "a\x00b\ud800")
    drawing.text(0, 0, "\x1b[0m<&>\ufffe")
    assert texts(parse(drawing)) == ["\ufffd[0m<&>\ufffd"]
    assert width_of("漢e\u0301", 10) == 18


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: attention(np.ones((2, 3, 3)), ["a", "b"]), r"\[2, 3, 3\].*\[heads, 2, 2\]"),
        (lambda: attention(np.ones((0, 2, 2)), ["a", "b"]), "do not fit"),
        (lambda: attention(np.array([[0.5, -2.5]]), ["a"], ["a", "b"]), r"holds -2\.5.*0 to 1"),
        (lambda: attention(np.array([[np.nan, 1.0]]), ["a"], ["a", "b"]), "holds nan"),
        (lambda: probabilities([-1.0], ["a"], most=0), "most=0"),
        (lambda: memory({"GPT-2": GPT2}, float("nan")), "tokens=nan"),  # type: ignore[arg-type]
        (lambda: memory({"GPT-2": GPT2}, 10**30), "tokens=10{30}.*1e.15"),
        (lambda: memory({"GPT-2": GPT2}, batch=0), "batch=0"),
        (lambda: memory([GPT2]), "by its name"),  # type: ignore[arg-type]
        (lambda: probabilities([-1.0], ["a", "b"]), "1 probabilities for 2 labels"),
        (lambda: probabilities([0.5], ["a"]), "0.5 is above 0"),
        (lambda: memory({}), "at least one config"),
        (lambda: memory({"a": GPT2}, 99), "tokens=99"),
        (lambda: memory({"BERT": {"model_type": "bert"}}), "no config keeps a state"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(call, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()
