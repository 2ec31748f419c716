"""What a person's words mean to `trends show`."""

import pytest

from exports.questions import Subject, subject
from exports.text.trends import spark


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("https://www.tiktok.com/@some.one/video/7600000000000000001?is_from=web", "video", "7600000000000000001"),
        ("https://www.tiktok.com/@some.one/photo/7600000000000000001", "video", "7600000000000000001"),
        (" 7600000000000000001 ", "video", "7600000000000000001"),
        ("https://www.tiktok.com/@Some.One?lang=en", "account", "some.one"),
        ("@Some.One ", "account", "some.one"),
        ("account:@Some.One", "account", "some.one"),
        ("#GiveAway", "hashtag", "giveaway"),
        ("tag:#GiveAway", "hashtag", "giveaway"),
        ("https://www.tiktok.com/tag/giveaway?lang=en", "hashtag", "giveaway"),
        ("https://www.tiktok.com/music/a-1-song-7102785830255239181?lang=en", "sound", "7102785830255239181"),
        ("sound:7102785830255239181", "sound", "7102785830255239181"),
        ("https://www.capcut.com/template-detail/7102402694320447488", "template", "7102402694320447488"),
        ("https://www.capcut.com/t/my-recap/7102402694320447488?x=1", "template", "7102402694320447488"),
        ("effect:soft glow", "effect", "soft glow"),
    ],
)
def test_what_people_type_is_found(text: str, kind: str, value: str) -> None:
    assert subject(text) == Subject(kind, value)


@pytest.mark.parametrize("text", ["", "   ", "@", "# ", "giveaway", "song:1", "sound:", "https://example.com/x"])
def test_anything_else_is_refused_with_what_can_be_given(text: str) -> None:
    with pytest.raises(ValueError, match="@handle, #tag"):
        subject(text)


def test_small_bars_go_from_zero_to_the_highest() -> None:
    assert spark([0, 4, 8]) == "▁▅█"
    assert spark([0, 0]) == "▁▁"
    assert spark([None, 8, 0]) == " █▁", "what nobody knows is no zero"
    assert spark([]) == ""
