"""What jingwei does not store about people, and how a name that comes near it is found.

The list is a promise: `docs/privacy.md` shows it, and everything that could hold a fact about
somebody (record kinds, tables, the published API, files for import) is compared with it. A name
is compared as people write it: in English, in pinyin with or without tones, in Chinese of both
scripts, in any case, with any separators, and with one letter wrong in a long word.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

TYPO_LETTERS_MIN: Final = 8
"""Shorter words are compared exactly: one letter off, they are too often another word."""
TYPO_CHARACTERS_MIN: Final = 4
"""The same for Chinese."""
NAME_CHARS_MAX: Final = 200
"""What is compared of a name; no column, field or heading worth the name is longer."""
PARTS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Refused:
    """A concept that is not stored, and the words it goes by."""

    concept: str
    english: tuple[str, ...]
    pinyin: tuple[str, ...]
    chinese: tuple[str, ...]


def _refused(concept: str, english: str, pinyin: str, chinese: str) -> Refused:
    return Refused(
        concept, tuple(english.split()), tuple(pinyin.split()), tuple(chinese.split())
    )


REFUSED: Final[tuple[Refused, ...]] = (
    _refused(
        "political affiliation",
        "political politics party_member party_membership league_member",
        "zhengzhimianmao zzmm dangyuan",
        "政治面貌 党员 团员",
    ),
    _refused(
        "religion",
        "religion religious faith believer",
        "zongjiao xinyang",
        "宗教 信仰",
    ),
    _refused(
        "ethnicity",
        "ethnic ethnicity nationality race races minority",
        "minzu zuqun zhongzu",
        "民族 族裔 种族",
    ),
    _refused(
        "risk labels of people",
        "key_person key_people risk_score risk_level credit_score blacklist watchlist "
        "person_score stability_risk control_level",
        "zhongdianrenyuan zhongdianrenqun zdry heimingdan weiwen",
        "重点人员 重点人群 黑名单 维稳 风险等级",
    ),
    _refused(
        "petition history",
        "petition petitions petitioner",
        "xinfang shangfang",
        "信访 上访",
    ),
    _refused(
        "criminal or correction record",
        "criminal crime conviction prisoner parole correction_record",
        "qianke xingman shequjiaozheng",
        "前科 刑满释放 社区矫正 犯罪",
    ),
    _refused(
        "drug use and registers of the ill",
        "drug drugs drug_user addict addiction mental psychiatric hiv diagnosis",
        "xidu jingshenbing jingshenzhangai",
        "吸毒 精神病 精神障碍 艾滋",
    ),
    _refused("sexual life", "sexual sexuality sexual_orientation", "xingquxiang", "性取向"),
    _refused("union membership", "union_member trade_union", "gonghui", "工会会员"),
    _refused(
        "biometrics",
        "biometric biometrics face face_id fingerprint voiceprint iris gait",
        "renlian zhiwen shengwen hongmo",
        "人脸 指纹 声纹 虹膜",
    ),
    _refused(
        "continuous location",
        "track tracks trajectory trajectories live_location location_history breadcrumb "
        "breadcrumbs geofence_alarm",
        "guiji shishiweizhi",
        "轨迹 实时位置",
    ),
    _refused(
        "devices and accounts of residents",
        "imei imsi mac_address wechat weibo qq douyin social_account",
        "weixin",
        "微信号 抖音号 社交账号",
    ),
    _refused(
        "money",
        "bank bank_account bank_card income salary assets",
        "yinhangka shouru",
        "银行卡 银行账号 收入",
    ),
    _refused("marital history", "marital marriage married divorced", "hunyin", "婚姻 婚史"),
    _refused(
        "movements and guests of residents",
        "vehicle license_plate plate_number guest guests visitor_log entry_log exit_log",
        "chepai fangke",
        "车牌 访客 出入记录",
    ),
    _refused(
        "free tags and relation graphs",
        "tag tags label labels relation_graph associates kinship",
        "biaoqian guanxiren",
        "标签 关系人",
    ),
    _refused(
        "identity numbers",
        "id_number id_card identity_card national_id passport ssn",
        "shenfenzheng sfz sfzh",
        "身份证 护照号",
    ),
    _refused(
        "ranking and punch-in of workers",
        "rank ranking rankings leaderboard bonus_points reward_points worker_points score "
        "scores punch punch_in clock_in attendance online_time activity_score",
        "paiming jifen daka kaoqin zaixianshichang",
        "排名 积分 打卡 考勤 在线时长",
    ),
)

PLAIN: Final = frozenset(["addition", "additions", "carriage", "输入记录", "出库记录"])
"""Words of their own that lie one letter from a refused one."""

_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_TRADITIONAL: Final = str.maketrans(
    "黨團種員點險級單維穩訪釋滿區矯礙會紋臉軌跡蹟實時號賬帳銀證護關係標籤車記錄積線長",
    "党团种员点险级单维稳访释满区矫碍会纹脸轨迹迹实时号账账银证护关系标签车记录积线长",
)
# Letters of other alphabets that look like Latin ones: Cyrillic and Greek.
_LOOKALIKES: Final = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0456\u0443\u03bf\u03b1\u03b9",
    "aeopcxiyoai",
)


def _plain(name: str) -> str:
    """Without accents, tones, wide forms and signs that nobody sees."""
    spread = unicodedata.normalize("NFKD", name[:NAME_CHARS_MAX])
    seen = (sign for sign in spread if unicodedata.category(sign) not in {"Mn", "Cf"})
    return "".join(seen)


def _parts(plain: str) -> tuple[str, ...]:
    """`HTTPServerName`, `server_name` and `server-name` as lower-case words, no lone digits."""
    spaced = _CAPITALS.sub("_", plain).lower().translate(_LOOKALIKES)
    words = (word.strip("0123456789") for word in _SEPARATORS.split(spaced))
    return tuple(word for word in words if word)[:PARTS_MAX]


def _runs(parts: tuple[str, ...], longest: int) -> Iterator[str]:
    """Neighbouring parts written as one, up to `longest` letters: `zong_jiao` is `zongjiao`."""
    for start in range(len(parts)):
        joined = ""
        for part in parts[start:]:
            joined += part
            if len(joined) > longest:
                break
            yield joined


def _one_letter_off(found: str, word: str) -> bool:
    """Say whether one letter was changed, dropped, added, or swapped with its neighbour.

    The two differ, by at most one letter in length.
    """
    short, long = sorted((found, word), key=len)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    if short[start + 1 :] == long[start + 1 :]:
        return True
    swapped = long[:start] + long[start + 1] + long[start] + long[start + 2 :]
    return short == swapped


def _windows(text: str, size: int) -> Iterator[str]:
    for start in range(len(text) - size + 1):
        yield text[start : start + size]


def _near_chinese(found: str, word: str) -> bool:
    if found == word:
        return True
    wrong = sum(here != there for here, there in zip(found, word, strict=True))
    return wrong == 1 and len(word) >= TYPO_CHARACTERS_MIN and found not in PLAIN


def _latin_words() -> Mapping[str, str]:
    return MappingProxyType(
        {
            word.replace("_", ""): each.concept
            for each in REFUSED
            for word in (*each.english, *each.pinyin)
        }
    )


_LATIN: Final = _latin_words()
_CHINESE: Final = tuple((word, each.concept) for each in REFUSED for word in each.chinese)
_LONG: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        length: tuple(
            word
            for word in _LATIN
            if len(word) >= TYPO_LETTERS_MIN and abs(len(word) - length) <= 1
        )
        for length in range(TYPO_LETTERS_MIN - 1, max(map(len, _LATIN)) + 2)
    }
)
_LONGEST: Final = max(map(len, _LATIN)) + 1


def _latin_concept(parts: tuple[str, ...]) -> str | None:
    runs = tuple(_runs(parts, _LONGEST))
    for run in runs:
        for each in (run, run.removesuffix("s")):
            if each in _LATIN:
                return _LATIN[each]
    for run in runs:
        if run in PLAIN:
            continue
        for word in _LONG.get(len(run), ()):
            if _one_letter_off(run, word):
                return _LATIN[word]
    return None


def _chinese_concept(text: str) -> str | None:
    for word, concept in _CHINESE:
        if any(_near_chinese(found, word) for found in _windows(text, len(word))):
            return concept
    return None


@lru_cache(maxsize=4_096)
def refused_concept(name: str) -> str | None:
    """Return the refused concept that a field, column, parameter or path names, or None.

    Latin words are compared as whole parts of the name, so `interface` does not name `face`;
    parts may be written apart or together. Chinese is compared anywhere in the name, whatever
    stands between the characters.
    """
    plain = _plain(name)
    han = "".join(_HAN.findall(plain)).translate(_TRADITIONAL)
    return _latin_concept(_parts(plain)) or _chinese_concept(han)
