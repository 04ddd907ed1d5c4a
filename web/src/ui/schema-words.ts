// What a form says by itself; labels and descriptions come from its schema.

import { dict } from "@/words/words";

export const formWords = dict({
  en: {
    needed: "This is needed.", number: "This is not a number.", whole: "This must be a whole number.",
    atLeast: (n: number) => `At least ${n}.`, atMost: (n: number) => `At most ${n}.`, above: (n: number) => `More than ${n}.`, below: (n: number) => `Less than ${n}.`,
    multiple: (n: number) => `This must be a multiple of ${n}.`,
    minLength: (n: number) => `At least ${n} characters.`, maxLength: (n: number) => `At most ${n} characters.`,
    minItems: (n: number) => `At least ${n} of them.`, maxItems: (n: number) => `At most ${n} of them.`, twice: "This stands here twice.",
    pattern: (p: string) => `This must fit the pattern ${p}`, json: "This is not valid JSON.", jsonAt: (line: number) => `This is not valid JSON: see line ${line}.`,
    jsonObject: "This must be an object: { … }", jsonArray: "This must be a list: [ … ]",
    email: "This is no e-mail address.", uri: "This is no address: it needs a form like https://example.org", date: "This is no date.",
    choose: "Choose…", item: (n: number) => `Item ${n}`, add: (what: string) => `Add: ${what}`, addItem: "Add an item", addEntry: "Add an entry", removeItem: (what: string) => `Remove ${what}`,
    up: (what: string) => `Move ${what} up`, down: (what: string) => `Move ${what} down`, noItems: "Nothing in it yet.", key: "Name", value: "Value",
    kind: "Kind", clear: "Leave it out", more: "Other members, as JSON", fromFile: "From a file…", dropHere: "Drop a text file here",
    types: { string: "Text", number: "Number", integer: "Whole number", boolean: "Yes or no", object: "Object", array: "List" } as Record<string, string>,
    notText: (name: string) => `“${name}” is not a text file.`, tooLarge: (name: string, max: string) => `“${name}” is larger than ${max}.`, unread: (name: string) => `“${name}” could not be read.`,
    usual: (value: string) => `Usually ${value}`,
  },
  zh: {
    needed: "此项必填。", number: "这不是数字。", whole: "必须是整数。",
    atLeast: (n: number) => `不能小于 ${n}。`, atMost: (n: number) => `不能大于 ${n}。`, above: (n: number) => `必须大于 ${n}。`, below: (n: number) => `必须小于 ${n}。`,
    multiple: (n: number) => `必须是 ${n} 的倍数。`,
    minLength: (n: number) => `至少 ${n} 个字符。`, maxLength: (n: number) => `最多 ${n} 个字符。`,
    minItems: (n: number) => `至少 ${n} 项。`, maxItems: (n: number) => `最多 ${n} 项。`, twice: "此项重复。",
    pattern: (p: string) => `必须符合格式 ${p}`, json: "这不是有效的 JSON。", jsonAt: (line: number) => `这不是有效的 JSON：请看第 ${line} 行。`,
    jsonObject: "必须是对象：{ … }", jsonArray: "必须是列表：[ … ]",
    email: "这不是电子邮件地址。", uri: "这不是网址，应形如 https://example.org", date: "这不是日期。",
    choose: "请选择…", item: (n: number) => `第 ${n} 项`, add: (what: string) => `添加：${what}`, addItem: "添加一项", addEntry: "添加一条", removeItem: (what: string) => `删除${what}`,
    up: (what: string) => `上移${what}`, down: (what: string) => `下移${what}`, noItems: "还没有内容。", key: "名称", value: "值",
    kind: "类型", clear: "不填", more: "其他成员（JSON）", fromFile: "从文件读取…", dropHere: "将文本文件拖到此处",
    types: { string: "文本", number: "数字", integer: "整数", boolean: "是或否", object: "对象", array: "列表" } as Record<string, string>,
    notText: (name: string) => `“${name}”不是文本文件。`, tooLarge: (name: string, max: string) => `“${name}”大于 ${max}。`, unread: (name: string) => `无法读取“${name}”。`,
    usual: (value: string) => `默认 ${value}`,
  },
});
