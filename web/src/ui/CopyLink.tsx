/** A button that copies a link to what the page shows; where the clipboard is closed the link stands in a field. */
import { useState } from "preact/hooks";
import { LabError } from "../../../src/errors.ts";
import { copyText, shareLink } from "../share.ts";
import * as store from "../store.ts";

/** Says what went wrong instead of leaving it unseen. */
export async function tried(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (err) {
    const hint = err instanceof LabError && err.hint ? ` ${err.hint}` : "";
    store.notice.value = `${err instanceof Error ? err.message : String(err)}.${hint}`;
  }
}

export function CopyLink(props: { label: string; testid: string }) {
  const [shown, setShown] = useState("");
  const copy = async (): Promise<void> => {
    setShown("");
    const link = await shareLink();
    if (link === undefined) return;
    if (await copyText(link))
      store.notice.value = "The link is copied. It holds all of this: scenario, changes, event, filter, lesson.";
    else setShown(link);
  };
  return (
    <>
      <button type="button" data-testid={props.testid} onClick={() => void tried(copy())}>
        {props.label}
      </button>
      {shown ? (
        <label class="link-out">
          <span class="small">The browser keeps the clipboard to itself here. Copy the link from this field:</span>
          <input
            type="text"
            class="mono"
            readOnly
            value={shown}
            data-testid="link"
            onFocus={(e) => e.currentTarget.select()}
          />
        </label>
      ) : null}
    </>
  );
}
