"""The built-in sample: sentences of a small grammar, enough to try every command without a network."""

_PEOPLE = (
    ("der Mann", "the man"),
    ("die Frau", "the woman"),
    ("das Kind", "the child"),
    ("der Lehrer", "the teacher"),
    ("mein Bruder", "my brother"),
    ("Anna", "Anna"),
)
_DEEDS = (  # finite verb, object, participle; in both languages
    ("kauft", "das Brot", "gekauft", "buys", "the bread", "bought"),
    ("liest", "ein Buch", "gelesen", "reads", "a book", "read"),
    ("sieht", "den Hund", "gesehen", "sees", "the dog", "seen"),
    ("sucht", "die Katze", "gesucht", "looks for", "the cat", "looked for"),
    ("öffnet", "die Tür", "geöffnet", "opens", "the door", "opened"),
    ("trinkt", "eine Tasse Tee", "getrunken", "drinks", "a cup of tea", "drunk"),
    ("schreibt", "einen Brief", "geschrieben", "writes", "a letter", "written"),
    ("findet", "den Schlüssel", "gefunden", "finds", "the key", "found"),
)
_FORMS = (  # the second and third put words in another order than English does
    ("{who} {does} {what}.", "{who} {does} {what}."),
    ("Heute {does} {who} {what}.", "Today {who} {does} {what}."),
    ("{who} hat {what} {done}.", "{who} has {done} {what}."),
)


def pairs(split: str) -> list[tuple[str, str]]:
    """Return the sentences of a split, German and English.

    Every form has been trained with every person and every deed, though not with all of them together: 108
    pairs to train on, 18 for validation and 18 to test.
    """
    found = []
    for form, templates in enumerate(_FORMS):
        for person, people in enumerate(_PEOPLE):
            for deed, words in enumerate(_DEEDS):
                part = {0: "test", 4: "validation"}.get((person + deed + 3 * form) % 8, "train")
                if part == split:
                    found.append(tuple(map(_sentence, templates, people, (words[:3], words[3:]))))
    return found


def _sentence(template: str, who: str, words: tuple[str, ...]) -> str:
    does, what, done = words
    sentence = template.format(who=who, does=does, what=what, done=done)
    return sentence[0].upper() + sentence[1:]
