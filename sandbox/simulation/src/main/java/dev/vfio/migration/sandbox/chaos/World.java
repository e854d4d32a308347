package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.vfio.device.DeviceState;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;

/**
 * Two nodes, a network and an operator, driven by the very classes of the agent through one
 * schedule that chance picks. Holds the handover's invariants at every step.
 */
final class World {
  private static final int STEPS_WITH_FAULTS = 500;
  private static final int STEPS_TO_SETTLE = 40_000;
  private static final int STEPS_UNTIL_A_PERSON_IS_NEEDED = 2_000;
  private static final int MAX_STOP_NANOS = 200_000_000;
  private static final int MAX_NOTES = 60;

  private final Chance chance;
  private final Loop loop;
  private final Node source;
  private final Node destination;
  private final Operator operator;
  private final CommandRules commandRules = new CommandRules();
  private final Deque<String> trace = new ArrayDeque<>();
  private Runnable onceLoaded = () -> {};
  private Runnable onceCommitted = () -> {};
  private Runnable onceAgentFalls = () -> {};
  private Runnable onceAgentIsDown = () -> {};

  /** Whether a workload ran at the destination: what becomes of it then is its own affair. */
  private boolean taken;

  /** When the verification was asked for that the decision rests on which is being recorded. */
  private long asked;

  private long lookedAt;

  /** When the destination's device or its workload died; 0 where they live. */
  private long diedAt;

  World(long seed) {
    this(seed, Set.of());
  }

  /**
   * @param leftOut faults that do not happen, see {@link Chance}
   */
  World(long seed, Set<Integer> leftOut) {
    this(seed, leftOut, Waiting.KERNEL);
  }

  /**
   * @param leftOut faults that do not happen, see {@link Chance}
   * @param waiting who waits at the destination
   */
  World(long seed, Set<Integer> leftOut, Waiting waiting) {
    this.chance = new Chance(seed, leftOut);
    this.loop = new Loop(chance);
    this.source =
        new Node("node-a", this, chance, DeviceState.RUNNING, ModelWorkload.State.RUNNING, waiting);
    this.destination =
        new Node("node-b", this, chance, DeviceState.NONE, ModelWorkload.State.WAITING, waiting);
    source.start();
    destination.start();
    this.operator = new Operator(this, chance);
    operator.start();
  }

  Loop loop() {
    return loop;
  }

  Node source() {
    return source;
  }

  Node destination() {
    return destination;
  }

  Operator operator() {
    return operator;
  }

  Node node(String name) {
    return name.equals(source.toString()) ? source : destination;
  }

  /** Lives through faults for a while, then without any until all is settled. */
  void live() {
    int faulty = chance.below(STEPS_WITH_FAULTS);
    for (int step = 0; step < faulty; step++) {
      step();
    }
    liveCalmly();
  }

  /**
   * Lives without faults until the destination is loaded, or until that is committed, then through
   * faults for a while, and without any again until all is settled.
   */
  void liveThroughTransfer() {
    chance.endFaults();
    if (chance.oneIn(3)) {
      onceLoaded(chance::beginFaults);
    } else {
      onceCommitted(chance::beginFaults);
    }
    for (int step = 0; step < STEPS_TO_SETTLE && !chance.faults() && !isSettled(); step++) {
      step();
    }
    int faulty = chance.below(STEPS_WITH_FAULTS);
    for (int step = 0; step < faulty; step++) {
      step();
    }
    liveCalmly();
  }

  /** Lives without faults, but for those that were planned, until all is settled. */
  void liveCalmly() {
    chance.endFaults();
    note("no more faults");
    int steps = 0;
    while (steps < STEPS_TO_SETTLE && !isSettled() && !waitsForAPerson(steps)) {
      step();
      steps++;
    }
    checkEnd();
  }

  /** Lives so many steps without faults, and may not be settled then. */
  void lives(int steps) {
    chance.endFaults();
    for (int step = 0; step < steps; step++) {
      step();
    }
  }

  /** Planned: happens when the destination says that it is loaded. */
  void onceLoaded(Runnable fate) {
    onceLoaded = fate;
  }

  /** Planned: happens when the decision is taken. */
  void onceCommitted(Runnable fate) {
    onceCommitted = fate;
  }

  private void mayDie() {
    if (diedAt == 0 && state(destination) == SessionState.DESTINATION_LOADED && chance.fault(60)) {
      if (chance.oneIn(2)) {
        destination.device().die();
      } else if (chance.oneIn(2)) {
        destination.workload().receiverDies();
      } else {
        destination.workload().die();
      }
    }
    if (destination.isUp() && chance.fault(200)) {
      destination.workload().hangUp();
    }
  }

  private void step() {
    try {
      mayDie();
      if (source.workload().state() == ModelWorkload.State.RUNNING
          && source.device().state().running()
          && chance.oneIn(3)) {
        source.device().work();
      }
      stopOrRestart(source);
      stopOrRestart(destination);
      operator.step();
      loop.step();
    } catch (Crash crash) {
      note("the agent of " + crash.node() + " crashes");
      if (crash.node() == destination) {
        agentEnds();
      } else {
        crash.node().crash();
      }
      if (chance.fault(6)) {
        note("the disk of " + crash.node() + " is damaged");
        crash.node().journals().damage(bytes -> Damage.byChance(bytes, chance));
      }
    } catch (AssertionError | RuntimeException wrong) {
      throw new AssertionError(wrong.getMessage() + "\n" + trace(), wrong);
    }
  }

  /** The destination's agent ends here and now. */
  private void agentEnds() {
    onceAgentFalls.run();
    onceAgentFalls = () -> {};
    destination.crash();
    onceAgentIsDown.run();
    onceAgentIsDown = () -> {};
  }

  /**
   * The pod of the destination's agent is replaced: the agent is told to end, is killed some steps
   * later, and another one starts on the same disk.
   *
   * @param steps that it is given to end
   */
  void replaceAgent(int steps) {
    note("the pod of " + destination + " is replaced");
    destination.sessions().stop();
    lives(steps);
    agentEnds();
  }

  /** Planned: happens when the destination's agent is about to end. */
  void onceAgentFalls(Runnable look) {
    onceAgentFalls = look;
  }

  /** Planned: happens when the destination's agent has ended, before another one starts. */
  void onceAgentIsDown(Runnable fate) {
    onceAgentIsDown = fate;
  }

  private void stopOrRestart(Node node) {
    // Also one that waits, and touches nothing meanwhile.
    if (node.isUp() && chance.fault(500)) {
      note("the agent of " + node + " is killed");
      node.crash();
    }
    if (node.isUp() && chance.fault(500)) {
      note("the agent of " + node + " is told to end");
      node.sessions().stop();
    }
    if (node.isUp() && chance.fault(500)) {
      note("the agent of " + node + " is stopped for a while");
      node.stop(chance.below(MAX_STOP_NANOS));
    }
    if (!node.isUp() && (chance.oneIn(20) || !chance.faults())) {
      note("the agent of " + node + " starts");
      node.start();
    }
  }

  /** How a schedule ended that broke nothing. */
  Outcome outcome() {
    if (!isSettled() || isLost()) {
      return Outcome.WAITING;
    }
    if (operator.decision() == Handover.COMMITTED) {
      return Outcome.COMMITTED;
    }
    return operator.cancelled() ? Outcome.CANCELLED : Outcome.ROLLED_BACK;
  }

  /** How many faults there were, with those that were left out. */
  int faults() {
    return chance.happened();
  }

  private boolean isSettled() {
    return source.isUp()
        && destination.isUp()
        && switch (operator.decision()) {
          case UNDECIDED -> false;
          case COMMITTED ->
              operator.takenBack()
                  ? hasEndedOrAsks() && isOver(source) && isOver(destination)
                  : isLost() && !operator.isAskedToTakeBack()
                      || operator.isOver()
                          && state(destination) == SessionState.DESTINATION_ACTIVE
                          && (destination.workload().state() == ModelWorkload.State.RUNNING
                              || ranAndEnded())
                          && state(source) == SessionState.SOURCE_COMPLETED;
          case ROLLED_BACK -> hasEndedOrAsks() && isOver(source) && isOver(destination);
        };
  }

  /** Whether the workload runs, at whichever end. */
  boolean workloadRuns() {
    return source.workload().state() == ModelWorkload.State.RUNNING
        || destination.workload().state() == ModelWorkload.State.RUNNING;
  }

  private boolean ranAndEnded() {
    return taken && destination.workload().state() != ModelWorkload.State.RUNNING;
  }

  private boolean hasEndedOrAsks() {
    return operator.isOver() || operator.status().phase() == Phase.ACTION_REQUIRED;
  }

  /** It died after the decision, which is said, and tried on; the source keeps its copy. */
  private boolean isLost() {
    SessionSnapshot session = destination.watched(operator.key());
    return diedAt != 0
        && session != null
        && session.failure() != null
        && (session.state() == SessionState.DESTINATION_STRANDED
            || session.state() == SessionState.DESTINATION_ACTIVATING);
  }

  private boolean isOver(Node node) {
    SessionState state = state(node);
    // What was recovered and not reported yet is not over.
    return (state == null || state.terminal())
        && node.sessions().snapshots().stream().allMatch(known -> known.state().terminal());
  }

  private SessionState state(Node node) {
    SessionSnapshot session = node.watched(operator.key());
    return session == null ? null : session.state();
  }

  // ------------------------------------------------------------------ invariants

  void destinationDied(String what) {
    note("the " + what + " of the destination dies");
    diedAt = loop.nanoTime();
  }

  /** What is written next rests on a verification that was asked for then; 0: on none. */
  void decides(long verificationAsked) {
    asked = verificationAsked;
  }

  long asked() {
    return asked;
  }

  /** The object, or a session, is another now: the operator may learn of it. */
  void newsForOperator() {
    if (operator != null) {
      operator.changed();
    }
  }

  /** Whether an administrator has asked for the source, so that the destination may give up. */
  private boolean takesBack() {
    return operator.takenBack() || operator.isAskedToTakeBack();
  }

  /** An agent refused a command. */
  void refused(Refusal refusal) {
    ControlCalls.contradiction(operator.decision(), takesBack(), refusal)
        .ifPresent(
            said -> {
              throw new AssertionError(said);
            });
  }

  /**
   * The API server took a status.
   *
   * @param verificationAsked when the look was asked for that it rests on; 0 where it rests on none
   */
  void recorded(DeviceMigrationStatus before, DeviceMigrationStatus now, long verificationAsked) {
    commandRules.recorded(now);
    if (before.phase() != now.phase()) {
      note("phase " + now.phase().text());
    }
    require(
        before.handoverOrUndecided() == Handover.UNDECIDED || before.handover() == now.handover(),
        "the recorded decision changed");
    if (before.handoverOrUndecided() == Handover.UNDECIDED
        && now.handover() == Handover.COMMITTED) {
      committed(verificationAsked);
    }
  }

  /** A replica is about to command an agent, after it recorded what the command follows from. */
  void commands(Replica replica, long number, Command.AgentCommand command) {
    commandRules
        .check(replica, number, command, operator.status().phaseOrPending())
        .ifPresent(
            said -> {
              throw new AssertionError(said);
            });
  }

  /** The destination's agent had its device look whether it holds what was loaded. */
  void lookedAtLoaded() {
    lookedAt = loop.nanoTime();
  }

  private void committed(long verificationAsked) {
    note("committed");
    require(verificationAsked != 0, "H2: committed without a look at what is loaded");
    require(
        lookedAt >= verificationAsked, "H2: the verification was answered and nobody had looked");
    require(
        diedAt == 0 || diedAt >= verificationAsked,
        "H2: committed on what had died before anybody was asked to look");
    Runnable fate = onceCommitted;
    onceCommitted = () -> {};
    fate.run();
  }

  void deviceMoved(Node node, DeviceState before, DeviceState now) {
    note(node + ": device " + before + " -> " + now);
    require(
        !(source.device().state().running() && destination.device().state().running()),
        "H1: both devices run");
    requireJournalled(node, before, now);
    if (node == source) {
      require(
          now != DeviceState.NONE || node.workload().state() == ModelWorkload.State.RELEASED,
          "H2: the source's device was reset");
      require(
          now != DeviceState.SAVE_COMPLETED || operator.decision() == Handover.COMMITTED,
          "H2: the source gave its state up before the decision");
      boolean wentBack =
          now == DeviceState.FAILED || now == DeviceState.CANCELLED || now == DeviceState.RUNNING;
      require(
          !wentBack
              || operator.decision() != Handover.UNDECIDED
              || !wrote(node, SessionRecord.EndAllowed.class),
          "H1: the source went back by itself while the destination may hold everything");
    }
    if (node == destination && now == DeviceState.RUNNING) {
      require(
          operator.decision() == Handover.COMMITTED,
          "H1: the destination runs without the decision");
      require(
          destination.device().holdsWhat(source.device()),
          "H2: the destination runs with other state than the source had");
    }
    if (node == destination && before == DeviceState.RESUME_COMPLETED) {
      require(
          now == DeviceState.RUNNING
              || operator.decision() != Handover.COMMITTED
              || diedAt != 0
              || operator.isAskedToTakeBack(),
          "H2: committed state was discarded");
    }
  }

  /** Acts that a restart has to know of are in the journal before. */
  private void requireJournalled(Node node, DeviceState before, DeviceState now) {
    require(
        now != DeviceState.STOPNCOPY || wrote(node, SessionRecord.SwitchingOver.class),
        "the source was stopped before that was journalled");
    require(
        now != DeviceState.SAVE_COMPLETED || wrote(node, SessionRecord.Committed.class),
        "H2: the source gave its state up before that was journalled");
    if (node == destination) {
      require(
          now != DeviceState.RUNNING || wrote(node, SessionRecord.Activating.class),
          "the destination runs before that was journalled");
      require(
          now != DeviceState.FAILED
              || before != DeviceState.RESUME_COMPLETED
              || !wrote(node, SessionRecord.Loaded.class)
              || wrote(node, SessionRecord.Discarding.class),
          "H2: what was loaded was discarded before that was journalled");
    }
  }

  private boolean wrote(Node node, Class<? extends SessionRecord> entry) {
    return node.journals().of(operator.key()).stream().anyMatch(entry::isInstance);
  }

  /** From here on the destination may hold everything. */
  void endMarkSent(Node node) {
    require(
        wrote(node, SessionRecord.EndAllowed.class),
        "H1: the end mark was sent before that was journalled");
  }

  void toldToTake(Node node) {
    require(
        operator.decision() == Handover.COMMITTED,
        "a workload is told to take its device before the decision");
    require(
        node.device().state() == DeviceState.RUNNING,
        "a workload is told to take its device before that runs");
  }

  void workloadMoved(Node node, ModelWorkload.State now) {
    note(node + ": workload " + now);
    require(
        source.workload().state() != ModelWorkload.State.RUNNING
            || destination.workload().state() != ModelWorkload.State.RUNNING,
        "H1: both workloads run");
    require(
        now != ModelWorkload.State.RUNNING || node != source || !taken,
        "H1: the source's workload runs again after the destination's ran");
    if (now == ModelWorkload.State.RUNNING) {
      taken |= node == destination;
      require(
          node.device().state() == DeviceState.RUNNING,
          "the workload runs before its device does: " + node.device().state());
    }
    if (now == ModelWorkload.State.RELEASED) {
      require(
          operator.decision() == Handover.COMMITTED,
          "the workload was released before the decision");
      require(
          wrote(destination, SessionRecord.Active.class),
          "H2: the source was released before the destination was active");
    }
  }

  void sessionMoved(Node node, SessionSnapshot before, SessionSnapshot now) {
    newsForOperator();
    if (before == null
        || before.state() != now.state()
        || (now.failure() != null && !now.failure().equals(before.failure()))) {
      note(
          node
              + ": "
              + now.state()
              + (now.failure() == null ? "" : " because of " + now.failure().reason()));
    }
    if (before != null) {
      require(!before.state().terminal(), "an ended session moved: " + before + " to " + now);
    }
    require(
        !now.state().terminal()
            || node.journals().of(now.key()).stream().anyMatch(SessionRecord::terminal),
        "an end was told, and the device free, before it was journalled");
    if (now.state() == SessionState.DESTINATION_LOADED) {
      require(
          destination.journals().of(now.key()).stream()
              .anyMatch(record -> record instanceof SessionRecord.Loaded),
          "LOADED was said before it was journalled");
      Runnable fate = onceLoaded;
      onceLoaded = () -> {};
      fate.run();
    }
  }

  /** A person was called because a journal cannot be read: H3 allows that. */
  private boolean callsAPerson(Node node) {
    SessionState state = state(node);
    return node.journals().damaged()
        && (state == SessionState.SOURCE_STRANDED || state == SessionState.DESTINATION_STRANDED);
  }

  /** Nothing else is going to happen any more. */
  private boolean waitsForAPerson(int steps) {
    return steps > STEPS_UNTIL_A_PERSON_IS_NEEDED
        && source.isUp()
        && destination.isUp()
        && (callsAPerson(source) || callsAPerson(destination));
  }

  private void checkEnd() {
    if (callsAPerson(source) || callsAPerson(destination)) {
      require(operator.decision() != Handover.UNDECIDED, "H3: nothing was decided");
      return;
    }
    boolean silentDevices = !source.device().tellsState() || !destination.device().tellsState();
    if (operator.takenBack()) {
      require(
          !source.device().tellsState()
              || source.device().state() == DeviceState.RUNNING
                  && source.workload().state() == ModelWorkload.State.RUNNING,
          "H3: taken back, and the source does not run");
    } else if (operator.decision() == Handover.COMMITTED && isLost()) {
      require(
          source.device().state() == DeviceState.STOPNCOPY
              && source.workload().state() == ModelWorkload.State.PAUSED,
          "H2: what was committed is lost, and the source has released its copy");
      // Of a device that does not tell its state the agent asks a person, also where it runs well.
      require(
          destination.workload().state() != ModelWorkload.State.RUNNING
              || destination.device().state().running()
                  && destination.device().holdsWhat(source.device()),
          "H3: a workload runs on a device that lost its state");
    } else if (operator.decision() == Handover.COMMITTED) {
      boolean stranded =
          state(destination) == SessionState.DESTINATION_STRANDED
              || state(destination) == SessionState.DESTINATION_ACTIVATING
              || state(source) == SessionState.SOURCE_COMPLETING;
      if (silentDevices && stranded) {
        // A device that does not tell its state may leave us asking a person: H3 allows that.
        return;
      }
      require(
          ranAndEnded()
              || destination.device().state() == DeviceState.RUNNING
                  && destination.workload().state() == ModelWorkload.State.RUNNING,
          "H3: committed, and the destination does not run");
      SessionSnapshot left = source.watched(operator.key());
      boolean askedToReset = left != null && left.resetFailed();
      require(
          (source.device().state() == DeviceState.SAVE_COMPLETED
                  || source.device().state() == DeviceState.NONE
                  || source.device().state() == DeviceState.STOPNCOPY && askedToReset)
              && source.workload().state() == ModelWorkload.State.RELEASED,
          "H3: committed, and the source is not released");
      require(
          left == null
              || left.state() != SessionState.SOURCE_COMPLETED
              || left.resetFailed()
              || !source.device().tellsState()
              || source.device().state() == DeviceState.NONE,
          "committed, and the workload's state is left at the source without a word");
      require(isSettled(), "H3: committed, and the sessions have not ended");
    } else {
      require(operator.decision() == Handover.ROLLED_BACK, "H3: nothing was decided");
      if (!source.device().tellsState() && state(source) == SessionState.SOURCE_STRANDED) {
        // Opened anew it does not tell whether it kept its state, and its workload is paused.
        return;
      }
      require(
          source.device().state() == DeviceState.RUNNING
              && source.workload().state() == ModelWorkload.State.RUNNING,
          "H3: rolled back, and the source does not run");
      require(
          destination.device().state() != DeviceState.RUNNING
              && (destination.workload().state() == ModelWorkload.State.WAITING
                  || destination.workload().state() == ModelWorkload.State.DEAD),
          "H1: rolled back, and the destination runs");
      require(isSettled(), "H3: rolled back, and the sessions have not ended");
    }
  }

  private void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(
          String.format(
              "%s (source %s/%s/%s, destination %s/%s/%s, decision %s)\n%s",
              what,
              source.device().state(),
              source.workload().state(),
              state(source),
              destination.device().state(),
              destination.workload().state(),
              state(destination),
              operator.decision(),
              trace()));
    }
  }

  void note(String what) {
    trace.add(loop.nanoTime() / 1000 + " us " + what);
    if (trace.size() > MAX_NOTES) {
      trace.remove();
    }
  }

  /** What happened last, a line each. */
  String trace() {
    return String.join("\n", trace);
  }
}
