"""*Bare* text: the form in which the requested anchor is recognised in another spelling.

A model that repeats the anchor may change its spelling but not its meaning: accents as separate
characters (NFD) or composed (NFC), half-width for full-width forms, traditional for simplified
characters, HTML entities, invisible characters, no Markdown, a block quotation, another list
marker. The bare letters of all these are the same.

This comparison is coarser than folding (folding.py), so it is used only for the requested anchor,
and only if its letters occur once in the delivered text. The table of widths is closed (the <wide>
and <narrow> characters of Unicode, and CJK punctuation); NFKC would equate "x\u00b2" and "x2".

Letters are found one by one as the text arrives. A letter is certain when the next character
cannot belong to it, so a cut never separates a base character from its marks (Unicode Standard
Annex 29), and the letters do not depend on how the text is cut into pieces.
"""

import html
import re
import unicodedata
from functools import lru_cache

from gemproxy.core.seam.folding import ALIKE

_SIMPLIFIED = (
    "们們个個没沒这這时時现現来來开開后後见見发發发髮终終觉覺记記听聽带帶认認树樹说說过過从從对對问問题題学學声聲车車边邊"
    "给給么麼为為会會国國经經动動还還进進样樣种種应應实實机機关關当當东東两兩体體长長门門气氣话話书書电電间間头頭儿兒"
    "无無师師业業产產义義习習乐樂买買乱亂争爭亚亞亲親亿億仅僅仆僕仓倉仪儀价價众眾优優伙夥伞傘伟偉传傳伤傷伦倫伪偽侠俠"
    "侣侶侦偵侧側俩倆债債倾傾偿償储儲兰蘭兴興养養兽獸冈岡册冊写寫军軍农農冯馮冲衝决決况況冻凍净淨减減凤鳳凭憑凯凱击擊"
    "刘劉则則刚剛创創删刪别別剂劑剑劍剧劇劝勸办辦务務劳勞势勢勋勳匀勻区區医醫华華协協单單卖賣卢盧卧臥卫衛厂廠厅廳历歷"
    "历曆厉厲压壓厌厭县縣参參双雙变變叙敘叠疊号號叹嘆吓嚇吗嗎启啟吴吳呐吶员員响響哑啞唤喚啸嘯喷噴嘱囑团團园園围圍图圖"
    "圆圓圣聖场場坏壞块塊坚堅坛壇坝壩坟墳坠墜垄壟垒壘垦墾垫墊堕墮墙牆壮壯壳殼处處备備复復复複够夠夹夾夺奪奋奮奖獎妆妝"
    "妇婦妈媽娱娛婴嬰孙孫宁寧宝寶审審宪憲宫宮宽寬宾賓寝寢寻尋导導寿壽将將尔爾尘塵尝嘗尧堯层層屉屜届屆属屬屡屢岁歲岂豈"
    "岗崗岛島岭嶺峡峽币幣帅帥帐帳帘簾帜幟帮幫干乾干幹并並广廣庄莊庆慶庐廬库庫庙廟废廢异異弃棄张張弥彌弯彎弹彈强強归歸"
    "录錄彻徹径徑忆憶忧憂怀懷态態怜憐总總恋戀恒恆恳懇恶惡恼惱悬懸惊驚惧懼惨慘惩懲惭慚惯慣愤憤愿願懒懶战戰户戶扎紮扑撲"
    "执執扩擴扫掃扬揚扰擾抚撫抛拋抢搶护護报報担擔拟擬拥擁拦攔拨撥择擇挂掛挡擋挣掙挤擠挥揮捞撈损損捡撿换換据據掷擲揽攬"
    "搁擱搂摟摄攝摆擺摇搖摊攤敌敵数數斋齋斗鬥斩斬断斷旧舊旷曠昼晝显顯晋晉晒曬晓曉晕暈暂暫术術朴樸杀殺杂雜权權条條杨楊"
    "极極构構枪槍柜櫃标標栈棧栋棟栏欄桥橋档檔梦夢检檢楼樓横橫欢歡欧歐岁歲残殘毁毀毕畢毙斃汇匯汉漢汤湯沟溝沪滬泪淚泼潑"
    "泽澤洁潔洒灑浅淺浆漿浇澆测測济濟浓濃涛濤涝澇润潤涨漲涩澀渊淵渔漁渗滲温溫湾灣湿濕溃潰滚滾满滿滤濾滨濱滩灘潇瀟潜潛"
    "灭滅灯燈灵靈灾災炉爐炼煉点點烁爍烂爛烛燭烟煙烦煩烧燒热熱爱愛爷爺牵牽牺犧状狀犹猶独獨狭狹狮獅狱獄猎獵猪豬猫貓献獻"
    "玛瑪环環琐瑣画畫畅暢疗療疯瘋痒癢皱皺监監盐鹽盖蓋盗盜盘盤着著睁睜矫矯矿礦码碼砖磚础礎确確碍礙礼禮祷禱祸禍离離种種"
    "积積称稱稳穩穷窮窃竊窍竅窝窩窥窺竖豎竞競笔筆筑築签簽简簡粮糧粪糞紧緊纠糾红紅约約级級纪紀纬緯纯純纱紗纲綱纳納纵縱"
    "纷紛纸紙纹紋纺紡线線练練组組细細织織绍紹绕繞绘繪络絡绝絕统統绢絹继繼绩績绪緒续續绳繩维維绵綿绸綢综綜绿綠缆纜缓緩"
    "编編缘緣缝縫缠纏缩縮网網罗羅罚罰罢罷职職联聯聪聰肃肅肠腸肤膚肾腎肿腫胀脹胁脅胆膽胜勝胶膠脉脈脏髒脏臟脑腦脚腳脱脫"
    "脸臉舰艦艰艱艳艷艺藝节節芦蘆苏蘇苹蘋范範荐薦荡蕩荣榮药藥莲蓮获獲获穫莹瑩营營萧蕭萨薩葱蔥蒋蔣蓝藍虏虜虑慮虚虛虫蟲"
    "虽雖虾蝦蚁蟻蚂螞蛮蠻蜡蠟蝇蠅袜襪袭襲装裝裤褲观觀规規视視览覽触觸誉譽计計订訂讨討让讓训訓议議讯訊讲講许許论論设設"
    "访訪证證评評识識诉訴词詞译譯试試诗詩诚誠诞誕询詢该該详詳语語误誤请請诸諸诺諾读讀课課谁誰调調谅諒谈談谊誼谋謀谎謊"
    "谐諧谓謂谜謎谢謝谦謙谨謹谱譜贝貝负負贡貢财財责責贤賢败敗账賬货貨质質贩販贪貪贫貧购購贯貫贴貼贵貴贷貸贸貿费費贺賀"
    "贼賊资資赋賦赏賞赔賠赖賴赚賺赛賽赞贊赠贈赢贏赵趙赶趕趋趨跃躍践踐踪蹤轨軌转轉轮輪软軟轰轟轻輕载載较較辅輔辆輛辈輩"
    "辉輝输輸辞辭辩辯达達迁遷迈邁运運近近违違连連迟遲迹跡适適选選逊遜递遞逻邏遗遺遥遙邓鄧邮郵邻鄰郑鄭酱醬酿釀释釋里裡"
    "里裏鉴鑒针針钉釘钓釣钟鐘钟鍾钢鋼钥鑰钩鉤钱錢钻鑽铁鐵铃鈴铅鉛铜銅铝鋁铭銘银銀铺鋪链鏈销銷锁鎖锅鍋锋鋒错錯锡錫锣鑼"
    "锤錘锦錦键鍵镇鎮镜鏡闪閃闭閉闯闖闲閒闷悶闹鬧闻聞阁閣阅閱阔闊队隊阳陽阴陰阵陣阶階际際陆陸陈陳险險随隨隐隱隶隸难難"
    "雾霧静靜韩韓页頁顶頂项項顺順须須顾顧顿頓预預领領颇頗频頻颗顆额額颜顏风風飞飛饭飯饮飲饰飾饱飽饼餅饿餓馆館马馬驱驅"
    "驳駁驶駛驻駐驾駕骂罵骄驕验驗骑騎骗騙骤驟鱼魚鲁魯鲜鮮鸟鳥鸡雞鸣鳴鸭鴨鸿鴻鹅鵝鹰鷹麦麥黄黃齐齊齿齒龄齡龙龍龟龜"
    "于於余餘只隻台臺云雲游遊松鬆面麵周週制製系係系繫万萬与與专專丝絲严嚴丧喪丰豐临臨丽麗举舉亏虧佣傭侨僑俭儉党黨内內剥剝卷捲厘釐吕呂咏詠唇脣喂餵"
    "回迴困睏奥奧娇嬌婶嬸宠寵尴尷尽盡尽儘庞龐征徵戏戲折摺搅攪携攜撑撐枣棗枫楓柠檸栅柵栖棲桩樁欲慾沧滄注註洼窪浊濁灶竈炮砲烫燙焕煥疮瘡瘫癱盏盞禅禪"
    "秃禿税稅窑窯笼籠箩籮篮籃纤纖绅紳绊絆缚縛群羣耸聳耻恥胧朧茧繭莱萊蚀蝕蝉蟬袄襖谬謬赌賭赎贖踊踴轴軸辟闢酝醞钞鈔钦欽铸鑄锐銳镶鑲闸閘阀閥阐闡雇僱"
    "霉黴颂頌颈頸飘飄饥飢饶饒馋饞驰馳骆駱骇駭鲸鯨鸥鷗鹤鶴鹏鵬叶葉谷穀郁鬱咸鹹志誌"
)
_TABLE = {
    **{variant: plain for plain, variant in zip(_SIMPLIFIED[::2], _SIMPLIFIED[1::2], strict=True)},
    **ALIKE,
    "\u3001": ",",
    "\u3002": ".",
    "\u2026": "...",
}
_WIDTHS = {
    chr(code): chr(int(unicodedata.decomposition(chr(code)).split()[1], 16))
    for code in range(0xFF01, 0xFFEF)
    if unicodedata.decomposition(chr(code)).startswith(("<wide>", "<narrow>"))
}
MARKDOWN = frozenset("*_`")
"""Signs of emphasis and of code, which a model may omit."""
_BULLET = r"[-+*\u2022\u2023\u25e6\u00b7]"
_MARKER = re.compile(rf"(?:[ \t]*>)*[ \t]*(?:(?:{_BULLET}|\d{{1,3}}[.)])(?:[ \t]+|\Z)|\|)?")
_MARKER_BEGUN = re.compile(rf"(?:[ \t]*>)*[ \t]*(?:{_BULLET}|\d{{1,3}}[.)]?)?")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]\w{1,9});")
_ENTITY_BEGUN = re.compile(r"&(?:#\d{0,7}|#[xX][\da-fA-F]{0,6}|(?:[A-Za-z]\w{0,9})?)")
_JAMO = ("\u1160", "\u1200")


class Bare:
    """Finds the bare letters of a text that arrives character by character.

    Each letter comes with the offset after its last raw character.
    """

    def __init__(self) -> None:
        self._pending = ""
        self._at = 0
        self._line_begins = True

    def feed(self, char: str) -> list[tuple[str, int]]:
        """Read the next character; return the letters that are certain now."""
        self._pending += char
        return self._take(final=False)

    def close(self) -> list[tuple[str, int]]:
        """Return the letters that were waiting for a next character."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> list[tuple[str, int]]:
        letters: list[tuple[str, int]] = []
        while self._pending:
            size, found = self._next(final=final)
            if not size:
                break
            self._pending = self._pending[size:]
            self._at += size
            if found:
                letters.append((found, self._at))
        return letters

    def _next(self, *, final: bool) -> tuple[int, str]:
        """Return the size of the next token and its letter, size 0 while it may still grow."""
        pending = self._pending
        if self._line_begins:
            if not final and _MARKER_BEGUN.fullmatch(pending):
                return 0, ""
            self._line_begins = False
            marker = _MARKER.match(pending)
            if marker is not None and marker.end():
                return marker.end(), ""
        if pending[0] == "&":
            if not final and _ENTITY_BEGUN.fullmatch(pending):
                return 0, ""
            entity = _ENTITY.match(pending)
            if entity is not None:
                size = _cluster_end(pending, entity.end(), final=final)
                return size, _bare(html.unescape(entity[0]) + pending[entity.end() : size])
        if pending[0] == "\n":
            self._line_begins = True
        if pending[0].isspace() or pending[0] in MARKDOWN or _is_invisible(pending[0]):
            return 1, ""
        size = _cluster_end(pending, 1, final=final)
        return size, _bare(pending[:size])


def bare(text: str) -> list[tuple[str, int]]:
    """Return the bare letters of a whole text, each with the raw offset after it."""
    reader = Bare()
    letters = [letter for char in text for letter in reader.feed(char)]
    return letters + reader.close()


def _cluster_end(pending: str, at: int, *, final: bool) -> int:
    """Return the offset after the marks from ``at`` on, 0 while another mark may follow."""
    end = next((place for place in range(at, len(pending)) if not _extends(pending[place])), 0)
    return end or (len(pending) if final else 0)


@lru_cache(maxsize=4096)
def _bare(cluster: str) -> str:
    visible = "".join(char for char in cluster if not _is_invisible(char))
    narrow = "".join(_WIDTHS.get(char, char) for char in visible)
    composed = unicodedata.normalize("NFC", narrow)
    return "".join(_TABLE.get(char, char) for char in composed).strip()


def _is_invisible(char: str) -> bool:
    """Return whether ``char`` is invisible: a joiner, a direction, a variation selector."""
    return "\ufe00" <= char <= "\ufe0f" or (char > "\x7f" and unicodedata.category(char) == "Cf")


def _extends(char: str) -> bool:
    """Return whether ``char`` belongs to the base character before it."""
    if char < "\u0300":
        return False
    return (
        unicodedata.category(char).startswith("M")
        or _JAMO[0] <= char < _JAMO[1]
        or char in "\uff9e\uff9f"  # half-width voiced sound marks
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
    )
