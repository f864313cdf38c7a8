"""Words that hold sentences together and say nothing of their subject."""

from __future__ import annotations

from typing import Final

_BY_LANGUAGE: Final = {
    "en": (
        "a an the this that these those some any each every all both either neither no none not"
        " i me my mine myself we us our ours you your yours he him his she her hers it its they"
        " them their theirs who whom whose which what when where why how if then than as so such"
        " and or but nor because since while until unless although though whether of at by for"
        " out with about against between into through during before after above below to from in on"
        " over under again further once here there be am is are was were been being have has had"
        " having do does did doing done can could may might must shall should will would ought"
        " just only very too also even still yet ever never always already now please hi hello hey"
        " thanks thank get gets got getting go goes going gone come let like want wanted need needs"
        " know see make made tell give take say said think well really much many more most other"
        " another same own something anything nothing someone anyone everything one able way"
        " i'm i've i'd i'll it's that's what's there's don't doesn't didn't can't cannot couldn't"
        " won't wouldn't isn't aren't wasn't weren't haven't hasn't hadn't shouldn't im dont cant"
        " didnt doesnt isnt ive whats"
    ),
    "de": (
        "der die das den dem des ein eine einen einem einer eines kein keine und oder aber denn"
        " weil dass wenn als ob wie was wer wo wann warum ich mich mir mein meine meinen meiner du"
        " dich dir dein er sie es wir uns unser ihr euch sich ist bin sind war waren wird werden"
        " wurde habe hat haben hatte kann können konnte muss soll will möchte nicht auch nur noch"
        " schon sehr so zu zum zur in im an am auf aus bei mit nach von vor für über um bitte da"
    ),
    "fr": (
        "le la les l un une des du de d et ou mais donc car que qui quoi dont où quand comment"
        " pourquoi si je j me m moi mon ma mes tu te toi ton ta tes il elle on nous notre vous"
        " votre ils elles leur se s ce cet cette ces est suis sont était être ai as a avons avez"
        " ont avoir peux peut puis faire fait ne n pas plus très aussi dans sur sous avec sans pour"
        " par en au aux à y c qu"
    ),
    "es": (
        "el la los las un una unos unas y o pero porque que qué quien cual cuando cómo como donde"
        " dónde si yo me mi mis tú te tu tus él ella nos nosotros usted ustedes su sus se lo le les"
        " es soy son era fue ser está estoy están estar ha he han haber hay puedo puede poder no ni"
        " más muy también ya en de del al a con sin por para sobre desde hasta este esta esto eso"
    ),
    "pt": (
        "o a os as um uma e ou mas porque que quem qual quando como onde se eu me meu minha tu você"
        " ele ela nós seu sua é sou são era foi ser está estou estão estar tem tenho posso pode não"
        " mais muito também já em de do da dos das no na nos nas ao à com sem por para sobre até"
    ),
    "it": (
        "il lo la i gli le un uno una e o ma perché che chi quale quando come dove se io mi mio mia"
        " tu ti tuo lui lei noi voi si è sono era essere ho ha hai hanno posso può non più molto"
        " anche già in di del della dei a al alla da dal con senza per su sul questo questa"
    ),
    "nl": (
        "de het een en of maar want dat die dit wat wie waar wanneer hoe waarom als ik me mij mijn"
        " je jij jouw hij zij ze wij we ons u uw zich is ben zijn was waren word wordt heb heeft"
        " hebben had kan kunnen moet wil niet ook nog al zeer te in op aan uit bij met naar van"
        " voor over om er"
    ),
}

FUNCTION_WORDS: Final = frozenset(word for words in _BY_LANGUAGE.values() for word in words.split())
"""Function words of English, German, French, Spanish, Portuguese, Italian and Dutch."""

_NEITHER: Final = "的了着都也就才又还在我你他她它这那个一把被给跟和与吗呢吧啊么是得地但而之其很太每"
NOT_FIRST: Final = frozenset(_NEITHER + "过们到")
"""Chinese characters that begin no keyword."""
NOT_LAST: Final = frozenset(_NEITHER + "不没")
"""Chinese characters that end no keyword."""
