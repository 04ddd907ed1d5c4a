import { dict } from "@/words/words";

export const modelWords = dict({
  en: {
    title: "Models", about: "Who answers: the providers of the server's settings and how busy they are, and what models cost.",
    providers: "Providers", providersAbout: "In the order of the settings; the first is asked where nothing else is said.", noProviders: "The settings name no provider.",
    provider: "Provider", dialect: "Speaks", models: "Models", state: "State", busy: "At work", waits: "Waiting",
    closed: "Answers", open: (seconds: number) => `Fails; tried again in ${seconds} s`, openSoon: "Fails; tried again at any moment", recovering: "Coming back",
    defaultModel: "default", demo: "built in, for trying out", of: (n: number, max: number) => `${n} of ${max}`,
    prices: "Prices", pricesAbout: "Dollars for a million tokens, in the order in which a model is looked up: the first that fits counts.", search: "Search models", noPrices: "The server knows no prices.",
    nothingFits: (q: string) => `No model fits “${q}”.`, model: "Model", input: "Input", output: "Output", source: "From", anyProvider: "any",
    sources: { file: "--prices", settings: "settings", builtin: "the server" }, asOf: (day: string) => `as of ${day}`,
    calculator: "What would it cost?", calculatorAbout: "Tokens are about four characters of English, one or two of Chinese.", inTokens: "Tokens read", outTokens: "Tokens written", times: "Calls", costs: "Cost", each: (t: string) => `${t} a call`, choose: "Use in the calculator",
  },
  zh: {
    title: "模型", about: "由谁作答：服务器设置中的提供方及其繁忙程度，以及模型的价格。",
    providers: "提供方", providersAbout: "按设置中的顺序；没有另行指定时使用第一个。", noProviders: "设置中没有提供方。",
    provider: "提供方", dialect: "协议", models: "模型", state: "状态", busy: "处理中", waits: "等待中",
    closed: "正常", open: (seconds: number) => `失败；${seconds} 秒后重试`, openSoon: "失败；即将重试", recovering: "恢复中",
    defaultModel: "默认", demo: "内置，供试用", of: (n: number, max: number) => `${n} / ${max}`,
    prices: "价格", pricesAbout: "每百万 token 的美元价格，按查找顺序排列：以第一个匹配的为准。", search: "搜索模型", noPrices: "服务器没有价格信息。",
    nothingFits: (q: string) => `没有与“${q}”匹配的模型。`, model: "模型", input: "输入", output: "输出", source: "来源", anyProvider: "任意",
    sources: { file: "--prices", settings: "设置", builtin: "服务器自带" }, asOf: (day: string) => `截至 ${day}`,
    calculator: "费用是多少？", calculatorAbout: "一个 token 约为四个英文字符，或一到两个汉字。", inTokens: "读入 token", outTokens: "写出 token", times: "调用次数", costs: "费用", each: (t: string) => `每次 ${t}`, choose: "用于计算",
  },
});
