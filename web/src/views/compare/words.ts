import { count } from "@/ui/format";
import { dict } from "@/words/words";

export const compareWords = dict({
  en: {
    title: "Compare sessions", about: "The same question twice, another prompt, a fork: what came out differently, and where.",
    first: "First", second: "Second", pick: "Pick another", swap: "Swap the two", pickTitle: (side: string) => `${side}: pick a session`, search: "Search by name or input",
    nothingFound: "No session fits.", same: "This is the same session twice.", sameAbout: "Pick another one to compare it with: a fork of it, or an earlier run of the same workflow.",
    facts: "At a glance", fact: "What", state: "State", time: "Time", tokens: "Tokens", cost: "Cost", workflow: "Workflow", version: "Version", started: "Started", steps: "Node runs",
    input: "Input", inputSame: "Both had the same input.", field: "Field", absent: "not given", whole: "all of it",
    nodes: "Nodes", output: "Output", messages: "Messages", parts: "What is compared", node: "Node", runs: "Runs", retries: "Retries", only: "Only differences", notRun: "did not run",
    noDifference: "No node differs.", noNodes: "Neither has run a node yet.", outputSame: "Both gave the same output.", noOutput: "Neither has an output.",
    differs: "differs", more: (s: string) => `${s} more`, less: (s: string) => `${s} less`, noMessages: "Neither has said anything.", nth: (n: number) => `message ${n}`,
    onlyIn: (side: string) => `only in the ${side.toLowerCase()}`, equal: "the same", sideBySide: "Side by side", changes: "Changes", open: "Open", replay: "Replay",
    nodesDiffer: (n: number) => `${count(n)} ${n === 1 ? "node differs" : "nodes differ"}`, running: "still runs", mean: "Both are sessions of different workflows: nodes are matched by their ids.",
  },
  zh: {
    title: "比较会话", about: "同一个问题的两次运行、换一个提示词、一次分叉：结果有何不同，差在哪里。",
    first: "第一个", second: "第二个", pick: "另选一个", swap: "交换", pickTitle: (side: string) => `${side}：选择会话`, search: "按名称或输入搜索",
    nothingFound: "没有符合的会话。", same: "两边是同一个会话。", sameAbout: "请另选一个来比较：它的分叉，或同一流程的另一次运行。",
    facts: "概览", fact: "项目", state: "状态", time: "用时", tokens: "Token", cost: "费用", workflow: "流程", version: "版本", started: "开始于", steps: "节点运行",
    input: "输入", inputSame: "两者的输入相同。", field: "字段", absent: "未提供", whole: "全部",
    nodes: "节点", output: "输出", messages: "消息", parts: "比较内容", node: "节点", runs: "运行次数", retries: "重试", only: "只看差异", notRun: "未运行",
    noDifference: "没有节点存在差异。", noNodes: "两者都还没有运行任何节点。", outputSame: "两者的输出相同。", noOutput: "两者都没有输出。",
    differs: "不同", more: (s: string) => `多 ${s}`, less: (s: string) => `少 ${s}`, noMessages: "两者都还没有消息。", nth: (n: number) => `第 ${n} 条消息`,
    onlyIn: (side: string) => `仅${side}有`, equal: "相同", sideBySide: "并排", changes: "差异", open: "打开", replay: "回放",
    nodesDiffer: (n: number) => `${n} 个节点不同`, running: "仍在运行", mean: "两个会话来自不同的流程：按节点 ID 对应。",
  },
});
