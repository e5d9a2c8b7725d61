"""The search box answers questions: the words that only make them questions need not be on the page.

Sphinx shows the pages that have every word of a query except its stop words, so "why is INT8 not faster"
would want a page with "why". Words that people use and the prose does not stand in the ``keywords`` of the
pages; the order of the results is that of ``conf/_static/search-scores.js``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sphinx.search.en import SearchEnglish

if TYPE_CHECKING:
    from sphinx.application import Sphinx

QUESTION_WORDS = """
about after all am any anything been before can cannot could did do does doing from get gets getting give
got had has have he her here him his how however just let like make makes many me ms much my need needs
off one only our out over should since so some still take takes than them too under up us use using want
was we were what when where which while who whose why without would you your
"""


class GuideSearch(SearchEnglish):
    """English with the words of questions among the stop words."""

    stopwords = SearchEnglish.stopwords | set(QUESTION_WORDS.split())


def setup(app: Sphinx) -> None:
    """Register the language."""
    app.add_search_language(GuideSearch)
