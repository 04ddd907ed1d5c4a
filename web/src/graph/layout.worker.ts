// Lays graphs out beside the page, so that a thousand nodes do not stop it.

import { answerLayout, type LayoutRequest } from "./layout-protocol";

const scope = self as unknown as { onmessage: (e: MessageEvent<LayoutRequest>) => void; postMessage: (reply: unknown) => void };
scope.onmessage = (e) => scope.postMessage(answerLayout(e.data));
