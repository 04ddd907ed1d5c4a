// What the conversation says around what was said.

import { count, plural } from "@/ui/format";
import { dict } from "@/words/words";

export const talkWords = dict({
  en: {
    conversation: "Conversation", branch: (name: string) => `Branch ${name}`, branches: "Branches", nothing: "Nothing has been said yet.",
    snapshot: "This run is old: its messages are whole, but how they came is no longer kept.", newest: "Newest",
    failed: "Failed", failedAt: (node: string) => `Failed at ${node}`, stopped: "Stopped", stoppedAt: (node: string) => `Stopped at ${node}`,
    noReason: "The server gave no reason.", cancelled: "Cancelled", kept: "Everything said until then is kept.", completed: "Completed", result: "Result",
    thinking: "Thinking…", thought: "Thought", words: (n: number) => plural(n, "word"),
    restarted: (times: number, why: string) => `${times === 1 ? "Restarted" : `Restarted ${times} times`}${why ? `: ${why}` : ""}`,
    headMissing: "The first part of this message comes when it is complete.", firstWord: "Waiting for the first word", computing: "Computing",
    cut: "Cut off here. What was said before is kept.", tooLong: "The model stopped at its length limit.",
    input: "Input", output: "Output", sources: "Sources",
    answerBelow: "Waiting for an answer, below", answerAwaited: "Waiting for an answer", by: (who: string) => `by ${who}`,
    late: (action: string) => (action ? `Nobody answered in time: ${action}` : "Nobody answered in time"), notAsked: "No longer asked", answered: "Answered",
    you: "You", said: (who: string) => `${who} said: `,
    round: (n: number, of: number | undefined) => (of ? `Round ${n} of ${of}` : `Round ${n}`),
    loopEnded: (n: number, of: number | undefined) => (of ? `Loop ended after round ${n} of ${of}` : `Loop ended after round ${n}`),
    score: (n: string) => `score ${n}`, passed: "Passed", notPassed: "Not passed",
    tally: (yes: number, no: number, abstain: number) => `${yes} for, ${no} against${abstain ? `, ${abstain} abstained` : ""}`,
    yes: "For", no: "Against", abstain: "Abstains", claim: (n: number, of: number) => `Claim ${n} of ${of}`,
    supported: "Supported", refuted: "Refuted", unverified: "Not verified",
    budget: "Budget reached", used: (used: string, limit: string) => `used ${used} of ${limit}`,
    breaker: (what: string) => `Stopped by ${what}`, detector: "a detector", against: (value: string, limit: string) => `${value} against a limit of ${limit}`,
    runRound: (n: number) => `round ${n}`, attempt: (n: number) => `attempt ${n}`, item: (n: number) => `item ${n}`, tokens: (n: number) => plural(n, "token"),
    copySaid: (who: string) => `Copy what ${who} said`, showNode: (who: string) => `${who}: show the node`,
    find: "Find in the conversation", findNext: "Next", findPrevious: "Previous", found: (nth: number, all: number) => (all ? `${count(nth)} of ${count(all)}` : "nothing found"),
    toEnd: "To the newest word",
  },
  zh: {
    conversation: "对话", branch: (name: string) => `分支 ${name}`, branches: "分支", nothing: "还没有人发言。",
    snapshot: "这次运行时间较早：消息是完整的，但产生过程已不再保留。", newest: "最新",
    failed: "失败", failedAt: (node: string) => `在“${node}”失败`, stopped: "已停止", stoppedAt: (node: string) => `在“${node}”停止`,
    noReason: "服务器没有给出原因。", cancelled: "已取消", kept: "此前的内容全部保留。", completed: "已完成", result: "结果",
    thinking: "正在思考…", thought: "思考过程", words: (n: number) => `${count(n)} 词`,
    restarted: (times: number, why: string) => `${times === 1 ? "已重新开始" : `已重新开始 ${times} 次`}${why ? `：${why}` : ""}`,
    headMissing: "这条消息的开头部分将在完成后显示。", firstWord: "正在等待第一个字", computing: "正在计算",
    cut: "在此中断，之前的内容已保留。", tooLong: "模型达到了长度上限。",
    input: "输入", output: "输出", sources: "来源",
    answerBelow: "正在等待答复（见下方）", answerAwaited: "正在等待答复", by: (who: string) => `由 ${who}`,
    late: (action: string) => (action ? `超时无人答复：${action}` : "超时无人答复"), notAsked: "不再询问", answered: "已答复",
    you: "你", said: (who: string) => `${who}说：`,
    round: (n: number, of: number | undefined) => (of ? `第 ${n} 轮，共 ${of} 轮` : `第 ${n} 轮`),
    loopEnded: (n: number, of: number | undefined) => (of ? `循环在第 ${n} 轮后结束，最多 ${of} 轮` : `循环在第 ${n} 轮后结束`),
    score: (n: string) => `得分 ${n}`, passed: "通过", notPassed: "未通过",
    tally: (yes: number, no: number, abstain: number) => `${yes} 票赞成，${no} 票反对${abstain ? `，${abstain} 票弃权` : ""}`,
    yes: "赞成", no: "反对", abstain: "弃权", claim: (n: number, of: number) => `第 ${n} 条论断，共 ${of} 条`,
    supported: "有依据", refuted: "已驳斥", unverified: "未核实",
    budget: "达到预算", used: (used: string, limit: string) => `已用 ${used}，上限 ${limit}`,
    breaker: (what: string) => `被 ${what} 停止`, detector: "检测器", against: (value: string, limit: string) => `数值 ${value}，上限 ${limit}`,
    runRound: (n: number) => `第 ${n} 轮`, attempt: (n: number) => `第 ${n} 次尝试`, item: (n: number) => `第 ${n} 项`, tokens: (n: number) => `${count(n)} 个 token`,
    copySaid: (who: string) => `复制 ${who} 的发言`, showNode: (who: string) => `${who}：显示节点`,
    find: "在对话中查找", findNext: "下一个", findPrevious: "上一个", found: (nth: number, all: number) => (all ? `第 ${count(nth)} 条，共 ${count(all)} 条` : "没有找到"),
    toEnd: "跳到最新内容",
  },
});

/** What a person did, said afterwards. */
export const doneWords = dict<Record<string, string>>({
  en: {
    approve: "Approved", reject: "Sent back", modify: "Approved with changes", skip: "Skipped", submit: "Answered", input: "Answered", answer: "Answered", edit: "Edited",
  },
  zh: {
    approve: "已批准", reject: "已退回", modify: "修改后批准", skip: "已跳过", submit: "已答复", input: "已答复", answer: "已答复", edit: "已编辑",
  },
});
