"""Prints the table of docs/admin.md and its translation from the routes of the code.

python docs/admin_table.py           prints them
python docs/admin_table.py --write   puts them into the pages
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gemproxy.admin.route import Route
from gemproxy.admin.table import ROUTES

DOCS = Path(__file__).resolve().parent
_MARKS = re.compile(r"(<!-- routes -->\n).*?(<!-- /routes -->)", re.DOTALL)

_ZH: Mapping[str, str] = {
    "The document of this API, in OpenAPI 3.1.": "本 API 的文档，OpenAPI 3.1。",
    "List what operators changed, newest first.": "列出运营者更改过什么，最新的在前。",
    "List all settings with their values and origins.": "列出所有设置的值和来源。",
    "Change several settings at once, all or none.": "一次更改几个设置，要么全部，要么都不。",
    "Show one setting.": "显示一个设置。",
    "Change one setting; it acts on the next request of all workers.": (
        "更改一个设置；对所有工作进程的下一个请求生效。"
    ),
    "Give a setting the value of the files, variables or the default back.": (
        "恢复一个设置的文件、环境变量或默认的值。"
    ),
    "Change how models think, as scripts of earlier tools do.": (
        "更改模型的思考，供早先工具的脚本使用。"
    ),
    "Change the prompt in requests, as scripts of earlier tools do.": (
        "更改请求中的提示词，供早先工具的脚本使用。"
    ),
    "List the requests for models that run now, in all workers, oldest first.": (
        "列出所有工作进程中正在进行的模型请求，最早的在前。"
    ),
    "Cut the connection to Gemini of the running requests with an id; they are repaired.": (
        "切断具有某个 id 的正在运行的请求与 Gemini 的连接；它们会被修复。"
    ),
    "End the running requests with an id; their clients get an error.": (
        "终止某个 id 的正在进行的请求；其客户端得到错误。"
    ),
    "Sum up usage and cost over any period.": "任意时段的用量与费用合计。",
    "Sum up usage and cost as a table for spreadsheets.": "用量与费用的表格（CSV）。",
    "Count interruptions by cause and by how their requests ended.": (
        "按原因和请求的结束方式统计中断。"
    ),
    "List requests, newest first.": "列出请求，最新的在前。",
    "Show the requests with an id, each with its attempts.": "显示某个 id 的请求及其各次尝试。",
    "Show what each model was asked in the last minute and this day.": (
        "显示每个模型最近一分钟和当天的请求与 token。"
    ),
    "Show the ledger's database: where it is, what is in it, and whether it works.": (
        "显示账本的数据库：位置、内容、是否正常。"
    ),
    "Write a backup to a new file in the directory backups of server.data_dir.": (
        "把备份写入 server.data_dir 下 backups 目录的新文件。"
    ),
    "See whether the database is sound, and its sums those of its requests.": (
        "检查数据库是否完好，合计是否与请求一致。"
    ),
    "Delete the requests that are older than some days; their sums stay.": (
        "删除早于若干天的请求；合计保留。"
    ),
    "List the operator's keys and how they stand, by project.": (
        "按项目列出运营者的 Gemini 密钥及其状态。"
    ),
    "Add a key to the data directory; it serves at once.": "把一个密钥加入数据目录；立即可用。",
    "Add several keys to the data directory, of a list or a text; each has its result.": (
        "把列表或文本中的几个密钥加入数据目录；每个都有自己的结果。"
    ),
    "Show a key by its fingerprint.": "按指纹显示一个密钥。",
    "Disable or enable a key, also one of the settings.": (
        "停用或启用一个密钥，设置里的密钥也可以。"
    ),
    "Ask Gemini about all keys, by requests that cost nothing; the pool learns.": (
        "用不产生费用的请求向 Gemini 询问所有密钥；密钥池记住结果。"
    ),
    "Ask Gemini about a key, by a request that costs nothing; the pool learns.": (
        "用不产生费用的请求向 Gemini 询问一个密钥；密钥池记住结果。"
    ),
    "Show the pool at a glance.": "显示密钥池的概况。",
    "Remove a key of the data directory by its fingerprint.": "按指纹从数据目录中删除一个密钥。",
    "List the projects of the pool, with their use by model of Google's running day.": (
        "列出密钥池的项目，以及 Google 当天各模型的使用情况。"
    ),
    "Add a Gemini key, as scripts of earlier tools do.": "添加 Gemini 密钥，供早先工具的脚本使用。",
    "Make an access key, as scripts of earlier tools do; it is shown once.": (
        "创建访问密钥，供早先工具的脚本使用；只显示一次。"
    ),
    "List the access keys.": "列出访问密钥。",
    "Make an access key; it is shown once.": "创建访问密钥；只显示一次。",
    "Show an access key by its name or id.": "按名字或 id 显示一个访问密钥。",
    "Change the models, the limits or the expiry of an access key.": (
        "更改访问密钥的模型、限额或到期时间。"
    ),
    "Refuse an access key from now on, for good.": "从此永久拒绝一个访问密钥。",
    "List the models that have prices or were used in the last 30 days.": (
        "列出有价格的或最近 30 天用过的模型。"
    ),
    "List the backups in the directory backups of server.data_dir.": (
        "列出 server.data_dir 下 backups 目录中的备份。"
    ),
    "Say how many requests a cleanup would delete.": "说明清理会删除多少请求。",
    "Show versions, uptime, memory and the workers.": "显示版本、运行时间、内存和各工作进程。",
    "Run the doctor's checks in the running proxy; they change nothing.": (
        "在运行中的代理里执行 doctor 的检查；不改变任何东西。"
    ),
    "Show where pictures are kept, how many there are, and the newest of them.": (
        "显示图片存放的位置、数量和最新的图片。"
    ),
    "Show a picture that is kept.": "显示一张保存的图片。",
    "Delete a picture.": "删除一张图片。",
    "Delete the pictures that have expired, without waiting for the next sweep.": (
        "删除已过期的图片，不等下一次清理。"
    ),
    "Show the price table, and which models were used without a price.": (
        "显示价目表，以及哪些用过的模型没有价格。"
    ),
    "Make another key for a user; it is shown once.": "为用户换一个新的密钥；只显示一次。",
}
"""The summaries of the routes in Chinese."""


@attrs.frozen
class Language:
    """A page, the head of its table, and its words for summaries; None: those of the routes."""

    page: Path
    head: tuple[str, str]
    words: Mapping[str, str] | None = None


ENGLISH = Language(DOCS / "admin.md", ("route", "what it does"))
CHINESE = Language(DOCS / "admin.zh-CN.md", ("路由", "作用"), _ZH)


def untranslated(language: Language) -> list[str]:
    """Return the summaries for which a language has no words."""
    if language.words is None:
        return []
    return [row.summary for row in ROUTES if row.summary not in language.words]


def table(language: Language) -> str:
    """Return the routes, a row each."""
    rows = [language.head, ("---", "---")]
    rows += [(f"`{row.method} {row.base}{row.path}`", _summary(row, language)) for row in ROUTES]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _summary(row: Route, language: Language) -> str:
    return (language.words or {}).get(row.summary, row.summary)


def page_with_table(page: str, language: Language) -> str:
    """Return ``page`` with the present table in its block."""
    return _MARKS.sub(lambda marks: marks[1] + table(language) + marks[2], page)


if __name__ == "__main__":
    for each in (ENGLISH, CHINESE):
        if "--write" in sys.argv[1:]:
            each.page.write_text(page_with_table(each.page.read_text("utf-8"), each), "utf-8")
        else:
            sys.stdout.write(f"{table(each)}\n")
