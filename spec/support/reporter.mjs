/**
 * mocha's Spec reporter with a plain closing line, `N passed, N failed, N skipped`, for whoever reads only the end of a log.
 * Plain JavaScript, because mocha loads it from the source tree, before anything is compiled. It never changes the outcome.
 */
import Mocha from 'mocha';

export default class Closing extends Mocha.reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    Mocha.reporters.Base.consoleLog(`${passes} passed, ${failures} failed, ${pending} skipped`);
  }
}
