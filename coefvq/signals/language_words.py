"""Common little words of English and of other languages in Latin script.

Words that are also common in English ("die", "men", "is") are left out of the others' lists.
"""

from __future__ import annotations

_ENGLISH = """
the and of to is are was were be been you your my for with that this these those what when
where who why how not don't it's i'm they their from have has had will would can't just out
get got she his her by our we there here about i
"""
ENGLISH = frozenset(_ENGLISH.split())

_OTHERS = """
spanish: el las los una que por para con del mi su sus esta este muy pero más como cuando es y
  de la en lo se te nos todo hola está fue al un hoy hace aquí porque vamos mira ese eso ya qué
  cómo
german: der das und ist nicht ich ein eine einen wir ihr mir mich dir sich mit auf für von zu
  dem auch aber wie wenn heute hier zum im bei noch nach sind wird haben meine mein mehr schon
  die den des es sie nur als hatte kann habe unser eure diese dieser
french: le les des une et est pas que qui pour dans sur avec vous nous je tu il elle ce cette
  mon mes au aux du de la un plus très mais comme être ne fait faire voici c'est j'ai d'un tout
  quand aussi nos ils
portuguese: os um uma que não para com em do da dos das meu minha seu sua mais muito como e é de
  eu você isso este esta ele ela foi se por hoje fazer meus minhas também até são olha nós
italian: il lo gli le un una che di non per con del della dei è e sono mi ti si ci nel più anche
  questa questo mia mio ho ma da al siamo sei oggi molto ecco cosa quando tutto fare questi
  sempre nostro noi
dutch: de het een en van ik niet dat je jij wij jullie ons onze op te voor met zijn naar maar
  ook aan er om bij uit hebben heb wat mijn nog wel dit deze hij ze dan kun gisteren vandaag
  heel kijk mij zo als geen worden wordt
polish: w z na nie się jest że jak ale tak za od po mi ma już tym mam dla czy jego moja mój
  gdzie tylko są było ze
turkish: bir ve bu ne için çok ben sen biz siz ile da mı mu var yok ama gibi daha en kadar olan
  her şey bana beni size olarak değil
indonesian: yang dan di ke dari ini itu untuk dengan tidak saya kamu aku kami kita akan ada bisa
  juga jangan pada adalah sudah atau lebih dalam anda apa tak saja mohon
vietnamese: và là của có không tôi bạn cho một các những được với này người đã trong để ra ở đi
  làm nhà anh khi cũng thì rất
tagalog: ang ng sa mga na ay mo ako ikaw siya kami tayo hindi ito para kung wala lang naman din
  ba ni niya
swedish: och att det som är på för av inte jag du vi har om ett de så kan ska när hur från en
  med den
danish: og det som er på af ikke jeg du vi har om et de så kan skal når hvor fra en med til den
finnish: ja ei että se hän minä sinä te mutta kun niin mitä tämä ole ovat oli olen kuin myös
  vain jos
czech: je se na že ale jak pro za po jsem jsi si tak ne když jsou jako už
hungarian: az és hogy nem egy ez meg van de ha csak még már én volt vagy mint nagyon
romanian: și de la în nu cu un pe că este ce mai din să pentru sau dar eu care fi lui
croatian: je na se da za od što su sam kao ali si iz ja koji bi samo kako
swahili: ya wa kwa ni katika la za cha hii kama yake hiyo mimi wewe lakini sana leo
"""


def _parse(lists: str) -> dict[str, frozenset[str]]:
    """``name: word word`` a language, lines that go on indented."""
    joined = lists.replace("\n  ", " ").strip().splitlines()
    pairs = (line.split(": ", 1) for line in joined)
    return {name: frozenset(words.split()) for name, words in pairs}


OTHERS = _parse(_OTHERS)
