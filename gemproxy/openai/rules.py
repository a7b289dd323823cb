"""All changes that schemas of OpenAI's clients undergo, as one table with their reasons.

The rules with a function are applied in this order to each schema, then to the schemas in it; the
others concern the whole. The documentation prints the same table.
"""

import attrs

from gemproxy.openai import cleaning
from gemproxy.openai.whole import MOST_ITEMS


@attrs.frozen(kw_only=True)
class Rule:
    """One change: the keywords that it concerns, what they become, and why.

    ``what`` and ``why`` are in English and Chinese. ``apply`` is None for the rules of the whole.
    """

    keywords: str
    what: str
    what_zh: str
    why: str
    why_zh: str
    source: str
    apply: cleaning.Rule | None = None


RULES = (
    Rule(
        keywords="nullable",
        what="an alternative of the type null",
        what_zh="变为 null 类型的备选",
        why="It is OpenAPI's; JSON Schema ignores it.",
        why_zh="属于 OpenAPI；JSON Schema 会忽略它。",
        source="OpenAPI 3.0",
        apply=cleaning.nullable,
    ),
    Rule(
        keywords="$ref",
        what=(
            "`#/$defs/NAME` or `#`; one that leads nowhere is dropped; one with words beside it "
            "is the only alternative of an anyOf; rules beside it are merged with its target"
        ),
        what_zh=(
            "变为 `#/$defs/NAME` 或 `#`；无目标的删除；旁边有说明时成为 anyOf 的唯一备选；旁边的"
            "规则与目标合并"
        ),
        why=(
            "Nothing but keywords with `$` may stand beside it, and escapes in it are not "
            "understood everywhere."
        ),
        why_zh="它旁边只允许以 `$` 开头的关键字，且转义并非处处被理解。",
        source="Gemini API reference, responseJsonSchema",
        apply=cleaning.reference,
    ),
    Rule(
        keywords="allOf",
        what="one schema with the rules of all parts",
        what_zh="合并为一个含全部规则的 schema",
        why="Gemini does not have it.",
        why_zh="Gemini 没有它。",
        source="Gemini API reference, responseJsonSchema",
        apply=cleaning.all_of,
    ),
    Rule(
        keywords="oneOf",
        what="anyOf",
        what_zh="变为 anyOf",
        why="Gemini reads it as anyOf.",
        why_zh="Gemini 按 anyOf 理解它。",
        source="Gemini API reference, responseJsonSchema",
        apply=cleaning.one_of,
    ),
    Rule(
        keywords="anyOf",
        what=(
            "rules beside it move into its alternatives; alternatives that only require names "
            "are dropped"
        ),
        what_zh="旁边的规则移入各备选；只要求属性名的备选删除",
        why="An alternative without a type is refused, and so are rules beside anyOf.",
        why_zh="没有类型的备选会被拒绝，anyOf 旁边的规则也是。",
        source="langchain-mcp-tools-ts#36, google_workspace_mcp#1099",
        apply=cleaning.any_of,
    ),
    Rule(
        keywords="type",
        what=(
            "names in small letters; an unknown name is dropped; a missing one is added where "
            "properties, required or items show it"
        ),
        what_zh="名称小写；未知名称删除；由 properties、required 或 items 可知时补上",
        why="Gemini knows JSON Schema's seven types.",
        why_zh="Gemini 只认识 JSON Schema 的七种类型。",
        source="JSON Schema 2020-12, OpenAPI 3.0",
        apply=cleaning.type_names,
    ),
    Rule(
        keywords="exclusiveMinimum, exclusiveMaximum",
        what=(
            "minimum or maximum: the next integer for integers, the same number and words in the "
            "description for others; the flags of draft 4 are read, too"
        ),
        what_zh=(
            "变为 minimum 或 maximum：整数取下一个整数，其他取同一数并在说明中写明；也读取 draft "
            "4 的布尔形式"
        ),
        why="Gemini does not have them.",
        why_zh="Gemini 没有它们。",
        source="pizza-bot#62",
        apply=cleaning.bounds,
    ),
    Rule(
        keywords="const",
        what="an enum with one value",
        what_zh="变为只有一个值的 enum",
        why="Gemini does not have it.",
        why_zh="Gemini 没有它。",
        source="vercel/ai, google_workspace_mcp#1099",
        apply=cleaning.constant,
    ),
    Rule(
        keywords="enum",
        what=(
            "alternatives by the types of its values; null becomes a type, the empty string an "
            "alternative of its own, one boolean the type with words in the description"
        ),
        what_zh=(
            "按值的类型拆成备选；null 变为类型，空串单独成为备选，单个布尔值变为类型并在说明中写明"
        ),
        why=(
            "Gemini has enums of strings and of numbers, and refuses empty strings in them. "
            "Texts that come back for numbers or booleans are turned back."
        ),
        why_zh=(
            "Gemini 只有字符串和数字的 enum，且拒绝其中的空串。返回时把数字或布尔值的文本转换回来。"
        ),
        source="Gemini API reference, responseJsonSchema; opencode#46676, CLIProxyAPI#4688",
        apply=cleaning.values,
    ),
    Rule(
        keywords="patternProperties",
        what="additionalProperties, if these are restricted",
        what_zh="若 additionalProperties 受限，则并入其中",
        why="Gemini does not have it.",
        why_zh="Gemini 没有它。",
        source="Gemini API reference, responseJsonSchema",
        apply=cleaning.patterns,
    ),
    Rule(
        keywords="type with a list",
        what="anyOf with an alternative for each type; one type and null stay",
        what_zh="变为每个类型一个备选的 anyOf；单一类型加 null 保留",
        why="Gemini documents lists with null only.",
        why_zh="Gemini 的文档只有含 null 的列表。",
        source="google_workspace_mcp#1099",
        apply=cleaning.type_lists,
    ),
    Rule(
        keywords="items, additionalItems",
        what=(
            "a list of schemas is prefixItems; `false` is maxItems; an array that says nothing "
            "gets empty items"
        ),
        what_zh=(
            "schema 列表变为 prefixItems；`false` 变为 maxItems；没有说明的数组补上空的 items"
        ),
        why='Gemini refuses arrays with "items: missing field".',
        why_zh="Gemini 以 “items: missing field” 拒绝。",
        source="AIStudioToAPI#154",
        apply=cleaning.elements,
    ),
    Rule(
        keywords="required",
        what="names that are no property are dropped",
        what_zh="不是属性的名称删除",
        why='Gemini refuses them: "property is not defined".',
        why_zh="Gemini 以 “property is not defined” 拒绝。",
        source="kilocode#11955",
        apply=cleaning.required,
    ),
    Rule(
        keywords=", ".join(cleaning.SAID),
        what="words in the description; formats of dates and of numbers stay",
        what_zh="写进说明；日期与数字的 format 保留",
        why="Gemini does not have them, or refuses their values; the model reads the words.",
        why_zh="Gemini 没有它们，或拒绝其值；模型能读到说明。",
        source="Gemini API reference, responseJsonSchema; weave router#65",
        apply=cleaning.words,
    ),
    Rule(
        keywords="all others",
        what="dropped",
        what_zh="删除",
        why=(
            "Gemini ignores or refuses them: $schema, $id, not, if, contains, propertyNames, "
            "discriminator, readOnly, x-..."
        ),
        why_zh=(
            "Gemini 忽略或拒绝它们：$schema、$id、not、if、contains、propertyNames、discriminator"
            "、readOnly、x-……"
        ),
        source="Gemini API reference, responseJsonSchema",
        apply=cleaning.keywords,
    ),
    Rule(
        keywords="true, false in the place of a schema",
        what="an empty schema, except in additionalProperties",
        what_zh="变为空 schema，additionalProperties 除外",
        why="Gemini takes objects there.",
        why_zh="Gemini 在此只接受对象。",
        source="Gemini API reference, responseJsonSchema",
    ),
    Rule(
        keywords="$ref in a circle",
        what=(
            "the property on its way is not required; without a property on its way, the "
            "reference is an empty schema"
        ),
        what_zh="途中的属性不再必填；途中没有属性时引用变为空 schema",
        why="Gemini follows circles only through properties that are not required.",
        why_zh="Gemini 只允许经由非必填属性的循环。",
        source="Gemini API reference, responseJsonSchema",
    ),
    Rule(
        keywords="maxItems",
        what=f"the largest are dropped until their sum is at most {MOST_ITEMS}",
        what_zh=f"从最大的开始删除，直到总和不超过 {MOST_ITEMS}",
        why='Gemini refuses larger sums: "Request contains an invalid argument".',
        why_zh="总和更大时 Gemini 以 “Request contains an invalid argument” 拒绝。",
        source="python-genai#2170, vercel/ai#21192",
    ),
    Rule(
        keywords="the root of a function's parameters",
        what=(
            "an object: alternatives are merged, with all their properties; one without any "
            "property is left out, together with the field"
        ),
        what_zh="成为 object：各备选合并并保留全部属性；没有任何属性时连同该字段省略",
        why=(
            "A function of Gemini's takes named arguments, and an object without properties is "
            "refused."
        ),
        why_zh="Gemini 的函数接受具名参数，没有属性的 object 会被拒绝。",
        source="opencode#11888, DEEIX-Chat#546",
    ),
)
"""The changes, in the order in which they are made."""
