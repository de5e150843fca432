/** A modal dialog on the browser's own `<dialog>`: focus stays inside, Escape closes, focus returns where it was. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

export function Dialog(props: {
  title: string;
  onClose: () => void;
  wide?: boolean;
  testid?: string;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.wide ? "dialog wide" : "dialog"}
      aria-labelledby={title}
      data-testid={props.testid}
      onClose={props.onClose}
      onClick={(e) => e.target === ref.current && ref.current?.close()}
    >
      <div class="dialog-inner">
        <header class="dialog-head">
          <h2 id={title}>{props.title}</h2>
          <button type="button" class="plain" aria-label="Close" onClick={() => ref.current?.close()}>
            ✕
          </button>
        </header>
        <div class="dialog-body" tabIndex={0}>
          {props.children}
        </div>
      </div>
    </dialog>
  );
}
