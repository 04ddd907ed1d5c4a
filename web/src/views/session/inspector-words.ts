import { count } from "@/ui/format";
import { dict } from "@/words/words";

export const inspectorWords = dict({
  en: {
    label: (name: string) => `Step ${name}`, notYet: "It has not run yet.", unknown: "There is no such step in this session.", definition: "Definition",
    runs: (n: number) => `${count(n)} runs`,
    runName: (iteration: number, attempt: number) => (attempt > 1 ? `Run ${iteration}, attempt ${attempt}` : `Run ${iteration}`),
    output: "Output", input: "What it reads",
    started: "Started", took: "Took", waited: "Waited", tokens: "Tokens", cost: "Cost", calls: "Tool calls",
    inOut: (i: number, o: number) => `${count(i)} in, ${count(o)} out`,
    attempt: "Attempt", before: "Before it", failedWith: (n: number) => `Attempt ${n} failed:`,
    restarted: (n: number) => (n === 1 ? "Its answer was begun anew once" : `Its answer was begun anew ${n} times`),
    toMessage: "Show its messages", child: "Open the session that it runs", branch: "Branch", skipped: "It was left out: no path led here, or its condition did not hold.",
    round: (n: number, of?: number) => (of ? `Round ${n} of ${of}` : `Round ${n}`), scores: (list: string) => `scores ${list}`, ended: (why: string) => `ended: ${why}`,
    asks: "Asks", answered: (who: string, what: string) => (who ? `${who}: ${what}` : what), showAll: "Show all of it",
   
    status: { started: "running", completed: "done", failed: "failed" } as Record<string, string>,
    calledWith: "Called with", gave: "Gave", inputOf: "Input of the session",
  },
  zh: {
    label: (name: string) => `步骤 ${name}`, notYet: "它还没有运行。", unknown: "此会话中没有这个步骤。", definition: "定义",
    runs: (n: number) => `${count(n)} 次运行`,
    runName: (iteration: number, attempt: number) => (attempt > 1 ? `第 ${iteration} 次，第 ${attempt} 次尝试` : `第 ${iteration} 次`),
    output: "输出", input: "它读取的内容",
    started: "开始", took: "用时", waited: "等待", tokens: "token", cost: "费用", calls: "工具调用",
    inOut: (i: number, o: number) => `输入 ${count(i)}，输出 ${count(o)}`,
    attempt: "尝试", before: "此前", failedWith: (n: number) => `第 ${n} 次尝试失败：`,
    restarted: (n: number) => `它的回答重新开始了 ${n} 次`,
    toMessage: "查看它的消息", child: "打开它运行的会话", branch: "分支", skipped: "它被跳过了：没有路径通向这里，或条件不成立。",
    round: (n: number, of?: number) => (of ? `第 ${n} 轮，共 ${of} 轮` : `第 ${n} 轮`), scores: (list: string) => `评分 ${list}`, ended: (why: string) => `结束原因：${why}`,
    asks: "询问", answered: (who: string, what: string) => (who ? `${who}：${what}` : what), showAll: "显示全部",
   
    status: { started: "运行中", completed: "完成", failed: "失败" } as Record<string, string>,
    calledWith: "调用参数", gave: "结果", inputOf: "会话的输入",
  },
});
