import { useEffect } from "react";

/** Waking up, or being online again, is a better moment to try than the end of a back-off. */
export function useAwake(retry: () => void): void {
  useEffect(() => {
    const awake = () => { if (!document.hidden) retry(); };
    window.addEventListener("online", awake);
    document.addEventListener("visibilitychange", awake);
    return () => {
      window.removeEventListener("online", awake);
      document.removeEventListener("visibilitychange", awake);
    };
  }, [retry]);
}
