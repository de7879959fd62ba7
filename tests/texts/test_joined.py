from motion_platform.texts.joined import joined_text


def test_two_texts_as_one():
    assert joined_text("a person greets a friend.", "bow") == "a person greets a friend: bow"
    assert joined_text("a person walks", "a person walks") == "a person walks"
    assert joined_text(" a person walks ", "") == "a person walks"
    assert joined_text("", "walk, bow") == "walk, bow"
