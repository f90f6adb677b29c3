from components.report.markup import Markup, tag


def test_text_and_attributes_are_escaped():
    assert tag("p", "a<b & c", title='say "x"') == '<p title="say &quot;x&quot;">a&lt;b &amp; c</p>'


def test_markup_is_kept_and_joined_text_escaped_once():
    assert tag("p", tag("b", "1 < 2"), ["&", None, 3]) == "<p><b>1 &lt; 2</b>&amp;3</p>"


def test_names_of_attributes():
    assert (
        tag("rect", class_="bar", stroke_width=1.5, rx=None) == '<rect class="bar" stroke-width="1.5"></rect>'
    )


def test_void_element_has_no_end():
    assert tag("meta", name="a", content="b") == '<meta name="a" content="b">'


def test_only_markup_is_taken_as_it_is():
    assert tag("style", Markup("a > b")) == "<style>a > b</style>"
    assert tag("style", "a > b") == "<style>a &gt; b</style>"
