import pytest

from motion_platform.texts.familiar import content_stems, language_of, stem

SENTENCES = {
    "a person walks forward": "English",
    "walk": "English",
    "en garde": None,
    "der Mann hebt die linke Hand": "German",
    "la femme marche vers la gauche": "French",
    "el hombre corre hacia la derecha": "Spanish",
    "l'uomo cammina verso destra": "Italian",
    "a mulher anda para trás": "Portuguese",
    "de vrouw loopt naar links": "Dutch",
    "kvinnan går framåt och vinkar": "Swedish",
    "en mand går fremad": "Danish or Norwegian",
    "kobieta idzie do tyłu": "Polish",
    "a man does a tango with la donna": "English",
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_languages(sentence):
    assert language_of(sentence) == SENTENCES[sentence]


def test_stems_are_of_the_words_that_say_something():
    assert [stem(word) for word in ("walks", "walked", "walking", "slowly", "bus", "is")] == [
        "walk", "walk", "walk", "slow", "bus", "is"]  # fmt: skip
    assert content_stems("A person walks up to the man, waving his 2 hands") == ["walk", "wav", "hand"]
