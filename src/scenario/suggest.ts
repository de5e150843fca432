/** "Did you mean" for the scenario layer; it lives beside errors.ts because packet vectors use it too. */
export { didYouMean, editDistance, suggest } from "../suggest.ts";
