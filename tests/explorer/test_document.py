from pathlib import Path

from net2vec.explorer.document import document


def test_the_documentation_of_the_api_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "explorer-api.md"
    told = "python -m net2vec.explorer.document > docs/explorer-api.md"
    assert page.read_text(encoding="utf-8") == document(), told
