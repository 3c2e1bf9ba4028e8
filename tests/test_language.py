"""The language of short texts: headlines, flashes, captions. All sentences are made up."""

import pytest

from pipelines.stages.language import detect_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ar", "الحكومة تعلن خطة جديدة للإسكان"),
        ("ar", "افتتاح معرض الكتاب في العاصمة"),
        ("ar", "ارتفاع أسعار النفط"),
        ("ar", "فريق المدينة يفوز بالبطولة"),
        ("fa", "دولت برنامه تازه‌ای برای مسکن اعلام کرد"),
        ("fa", "افتتاح نمایشگاه کتاب در پایتخت"),
        ("fa", "تیم شهر قهرمان شد"),
        ("ur", "حکومت نے رہائش کے نئے منصوبے کا اعلان کیا"),
        ("ur", "دارالحکومت میں کتاب میلے کا آغاز ہو گیا"),
        ("ckb", "حکوومەت پلانێکی نوێی بۆ نیشتەجێبوون ڕاگەیاند"),
        ("ckb", "پێشانگای کتێب لە پایتەخت کرایەوە"),
        ("ku", "Hikûmetê plana nû ya xaniyan ji bo gel eşkere kir"),
        ("ku", "Pêşangeha pirtûkan li paytextê hat vekirin"),
        ("ps", "حکومت د کورونو نوې پروژه اعلان کړه"),
        ("ug", "ھۆكۈمەت يېڭى تۇرالغۇ پىلانىنى ئېلان قىلدى"),
        ("he", "הממשלה הכריזה על תוכנית דיור חדשה"),
        ("tr", "Hükümet yeni konut planını açıkladı"),
        ("en", "Government announces a new housing plan"),
        ("fr", "Le gouvernement annonce un nouveau plan pour le logement"),
        ("es", "El gobierno anuncia un nuevo plan de vivienda"),
        ("de", "Die Regierung kündigt einen neuen Wohnungsplan an"),
        ("ru", "Правительство объявило о новом плане строительства жилья"),
        (None, "2024 - 15:30"),
        (None, ""),
    ],
)
def test_short_texts(language: str | None, text: str) -> None:
    assert detect_language(text) == language
