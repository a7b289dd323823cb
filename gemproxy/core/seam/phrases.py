"""How a model announces that it continues, in the most common languages.

A line with any word of continuing can be a preamble, which a complete anchor after it proves. A
line that only announces a continuation is no part of the answer even without an echo: all its words
are in the closed list of one language here, and one of them is a word of continuing.
"""

import re
import unicodedata

_GOING_ON = re.compile(
    # English, Romance languages, Dutch
    r"contin|resum|pick(?:s|ed|ing)?\b[^\n]*\bup\b|left off|\brest of|carry(?:ing)? on|going? on|"
    r"cut off|broke off|interrupt|stopped|\bsuite\b|repren|repris|poursui|prosegu|prossegu|"
    r"retom|riprend|\bsigo\b|\bsigue|seguir|\bresto\b|verder|vervolg|"
    # German, Scandinavian languages, Polish, Russian, Ukrainian, Turkish
    r"fortsetz|fortfahr|fortsätt|fortsett|weiter|\brest\b|setze?\b[^\n]*\bfort\b|kontynu|dalsz|"
    r"продолж|дальше|далее|продовж|devam|"
    # Arabic, Hebrew, Hindi, Vietnamese, Indonesian
    r"متابع|تكمل|استكمال|أكمل|يتبع|المتبقي|המשך|ממשיכ?|जारी|आगे|शेष|tiếp|lanjut|"
    # Japanese, Chinese, Korean
    r"続き|続け|つづき|つづけ|再開|继续|接着|接续|接上|续写|续上|后续|余下|剩余|以下是|"
    r"繼續|接著|接續|續寫|後續|其餘|以下為|계속|이어|나머지",
    re.IGNORECASE,
)

_WORDS = {
    "English": (
        "a about absolutely above again all alright am an and answer answering apologies apologize "
        "as at back be before broke but carry carrying certainly complete completed completion "
        "confusion connection continuation continue continued continues continuing course cut "
        "directly end ended ending exactly follow following follows for from go going got had "
        "happily happy have here i i'll i'm in interrupted interruption is it it's just last left "
        "let let's me message missing my no now of off ok okay on once part pick picking point "
        "place previous problem proceed proceeding remainder remaining reply request requested "
        "response rest resume resuming right same seamlessly sentence sorry spot still stop "
        "stopped story straight sure text that that's the there then this to understood up was we "
        "were where where's which will with without word words you your yes here's certainly"
    ),
    "German": (
        "ab abbruch abgebrochen alles also am an anschluss antwort auf aufgehört bei bin bitte da "
        "das dem den der des die dieser direkt dort eben ende es folgend folgende folgt fort sie "
        "fortfahren "
        "fortgesetzt fortgeführt fortsetzen fortsetzung führe gehen geht gerne genau gern hatte "
        "hier ich in ist ja jetzt klar kommt letzten mache machen meine meiner mein mit nahtlos "
        "natürlich nun nachricht okay ok rest satz selbstverständlich setze sicher sofort stand "
        "stehen stelle text unterbrechung unterbrochen verständlich verstanden vom von war waren "
        "weiter weiterschreiben weitermachen wie wir wo wurde zu"
    ),
    "French": (
        "à absolument accord après arrêté au bien bonne bien-sûr c'est ce certainement compris "
        "continuation continue continuer continuons d'accord d'où de des donc du elle en endroit "
        "entendu est et étais exactement fin il ici j'ai je jusqu'où la l'endroit là le les "
        "m'étais ma mon message même nous où par partir phrase point pour poursuis "
        "poursuite poursuivons "
        "précisément précédente qu'elle réponse reprenons reprends reprise reste suis suit suite "
        "sûr texte tout un une voici volontiers"
    ),
    "Spanish": (
        "a ahora aquí bien claro cómo con continuación continuamos continuando continúa continuar "
        "continúo de dejamos dejé del desde desde-donde donde el en encantado entendido es esta "
        "está este exactamente fin frase interrumpí justo la las le lo los me mensaje mi mismo "
        "perfecto perfectamente por prosigo punto que quedamos quedé respuesta resto retomando "
        "retomo se seguimos seguir sí sigo sigue supuesto texto un una vale voy y acuerdo"
    ),
    "Portuguese": (
        "a agora ao aqui bem certo claro com continuação continuando continuar continuo da de do "
        "e em entendido está esta exatamente fim frase interrompi local mensagem meu minha na no o "
        "onde os para parei paramos perfeito ponto prosseguindo prossigo que resposta restante "
        "resto retomando retomo segue sim texto vou"
    ),
    "Italian": (
        "a al allora bene capito certamente certo che chiaro con continua continuando continuare "
        "continuazione continuo d'accordo da dal del della di dove e ecco ero esattamente fine "
        "frase il in interrotto la lasciato lo messaggio mi mia mio ok parto perfetto proseguo "
        "punto qui restante resto ripartiamo riprendendo riprendo risposta segue seguito si sì "
        "sono stesso subito testo va volentieri"
    ),
    "Russian": (
        "вот где далее дальше до и из иду конечно конца конец место места мой моего на ответ "
        "ответа остальное остановился остановились понял понятно предложения продолжаем продолжаю "
        "продолжение продолжения продолжить прервался прервалось с сейчас сообщения текст текста "
        "того хорошо что я"
    ),
}
_LISTS = tuple(frozenset(words.split()) for words in _WORDS.values())
_WIDE_LINE = re.compile(
    r"(?:[\s、，,。.!！:：\uff08\uff09()…]|"
    # Chinese
    r"好的?|当然可以|当然|没问题|明白了?|收到|抱歉|对不起|以下是|以下|下面是?|这是|这里是|我将?|我会|让我|"
    r"请看|现在|继续|接着|接上|接续|续写|续上|上文|前文|上一条|之前|刚才|回复|回答|内容|的|后续|剩余|余下|部分|"
    r"从|中断|断开|停下|停止|处|地方|之处|写|往下|完成|开始|如下|"
    r"當然|沒問題|收到|繼續|接著|接續|續寫|後續|內容|剩餘|從|中斷|斷開|以下為|"
    # Japanese
    r"はい|もちろんです?|もちろん|承知しました|了解しました|わかりました|分かりました|かしこまりました|申し訳ありません|"
    r"すみません|以下[はがに]?|続き|つづき|続け(?:ます|て|る)|つづけます|書きます|書き|再開します|再開|中断|途中|"
    r"した|して|ところ|箇所|文章|回答|返信|前回|先ほど|から|より|です|ます|それでは|では|お送りします|"
    r"します|いたします|を|は|が|の|に|で|"
    # Korean
    r"네|예|물론입니다|물론이죠|물론|알겠습니다|죄송합니다|이어서|이어|계속하겠습니다|계속합니다|계속|"
    r"쓰겠습니다|작성하겠습니다|나머지|내용|부분|중단된|끊긴|곳|에서|부터|다음은|다음|은|는|을|를|입니다)+"
)
_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_ONE_WORD_MIN = 7  # "Continued:", but not "Rest:" nor "Weiter:"
_LINE_MARKS = " \t\n*_#()[]~"


def speaks_of_going_on(line: str) -> bool:
    """Return whether ``line`` has a word of continuing."""
    return _GOING_ON.search(line) is not None


def speaks_only_of_going_on(line: str) -> bool:
    """Return whether ``line`` only announces that the answer continues.

    A number, a name, a quotation or any word outside the closed list makes this False. ``line``
    has no line end.
    """
    plain = unicodedata.normalize("NFC", line).replace("\u2019", "'").strip(_LINE_MARKS)
    if not speaks_of_going_on(plain):
        return False
    if _WIDE_LINE.fullmatch(plain):
        return True
    if any(char.isdigit() or char in '"\u201c\u00ab`|<>=' for char in plain):
        return False
    words = {word.lower() for word in _TOKEN.findall(plain)}
    long_enough = len(words) > 1 or len(plain) > _ONE_WORD_MIN
    return long_enough and any(words <= known for known in _LISTS)
