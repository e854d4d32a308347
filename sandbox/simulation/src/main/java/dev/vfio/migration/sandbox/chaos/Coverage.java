package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.DestinationMachine;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.DestinationStep;
import dev.vfio.migration.agent.machine.Moment;
import dev.vfio.migration.agent.machine.SourceEvent;
import dev.vfio.migration.agent.machine.SourceMachine;
import dev.vfio.migration.agent.machine.SourceState;
import dev.vfio.migration.agent.machine.SourceStep;
import dev.vfio.migration.agent.machine.Timings;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import dev.vfio.migration.vfio.transfer.machine.TransferMachine;
import dev.vfio.migration.vfio.transfer.machine.TransferState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which kinds of event the steps of one machine have met, over all schedules of this process. A
 * pair that was never met either cannot be, because the machine itself refuses it, or is told.
 * Thread-safe.
 */
final class Coverage {
  private static final Moment MOMENT = new Moment(1, 1);

  static final String NO_TASK = "(no task)";

  /** What may come at any time, whatever step is under way. */
  private static final Predicate<Class<?>> OF_OTHERS =
      anyOf(
          TransferEvent.Requested.class,
          TransferEvent.SaidHello.class,
          TransferEvent.ClaimUnclear.class,
          TransferEvent.Greeted.class,
          TransferEvent.Withdrawn.class,
          TransferEvent.Disconnected.class);

  static final Coverage SOURCE =
      new Coverage(
          "SourceMachine",
          stepsOf(SourceStep.class.getPermittedSubclasses()),
          kindsOf(SourceEvent.class),
          anyOf(SourceEvent.Completion.class),
          anyOf(SourceEvent.Later.class, SourceEvent.Recover.class),
          (state, event) ->
              new SourceMachine(Timings.USUAL)
                  .step(
                      (SourceState) state,
                      SourceEvent.class.cast(now(event, ((SourceState) state).epoch())),
                      MOMENT));

  static final Coverage DESTINATION =
      new Coverage(
          "DestinationMachine",
          stepsOf(DestinationStep.class.getPermittedSubclasses()),
          kindsOf(DestinationEvent.class),
          anyOf(DestinationEvent.Completion.class),
          anyOf(DestinationEvent.Later.class, DestinationEvent.Recover.class),
          (state, event) ->
              new DestinationMachine(Timings.USUAL)
                  .step(
                      (DestinationState) state,
                      DestinationEvent.class.cast(now(event, ((DestinationState) state).epoch())),
                      MOMENT));

  static final Coverage TRANSFER =
      new Coverage(
          "TransferMachine",
          Stream.concat(Stream.of(NO_TASK), stepsOf(TransferState.Step.class).stream())
              .collect(Collectors.toUnmodifiableSet()),
          kindsOf(TransferEvent.class),
          kind -> !OF_OTHERS.test(kind),
          anyOf(),
          (state, event) ->
              new TransferMachine(ModelDevice.ID, "handover.sock")
                  .next((TransferState) state, (TransferEvent) event));

  private final String machine;
  private final Set<String> steps;
  private final Set<Class<?>> kinds;
  private final Predicate<Class<?>> outcome;
  private final Predicate<Class<?>> awaited;
  private final BiFunction<Object, Object, Object> step;
  private final Map<String, Set<String>> met = new ConcurrentSkipListMap<>();
  private final Map<String, Object> states = new ConcurrentHashMap<>();
  private final Map<String, Object> events = new ConcurrentHashMap<>();

  private Coverage(
      String machine,
      Set<String> steps,
      Set<Class<?>> kinds,
      Predicate<Class<?>> outcome,
      Predicate<Class<?>> awaited,
      BiFunction<Object, Object, Object> step) {
    this.machine = machine;
    this.steps = steps;
    this.kinds = kinds;
    this.outcome = outcome;
    this.awaited = awaited;
    this.step = step;
  }

  private static Set<String> stepsOf(Class<?>... enums) {
    return Stream.of(enums)
        .flatMap(of -> Stream.of(of.getEnumConstants()))
        .map(Object::toString)
        .collect(Collectors.toUnmodifiableSet());
  }

  private static Predicate<Class<?>> anyOf(Class<?>... types) {
    return kind -> Stream.of(types).anyMatch(type -> type.isAssignableFrom(kind));
  }

  private static Set<Class<?>> kindsOf(Class<?> sealed) {
    return Stream.of(sealed.getPermittedSubclasses())
        .flatMap(kind -> kind.isInterface() ? kindsOf(kind).stream() : Stream.of(kind))
        .collect(Collectors.toUnmodifiableSet());
  }

  /** The machine takes {@code event} in {@code state}, which is at that step. */
  void met(String at, Object state, Object event) {
    String kind = event.getClass().getSimpleName();
    if (met.computeIfAbsent(at, key -> new ConcurrentSkipListSet<>()).add(kind)) {
      states.putIfAbsent(at, state);
      events.putIfAbsent(kind, event);
    }
  }

  /** The event as if it had been awaited in a state of that epoch. */
  private static Object now(Object event, long epoch) {
    return event instanceof SourceEvent.TimerFired
        ? new SourceEvent.TimerFired(epoch)
        : event instanceof DestinationEvent.TimerFired
            ? new DestinationEvent.TimerFired(epoch)
            : event;
  }

  /**
   * How many pairs were met, those that were not although they could be, and the steps that were
   * never reached.
   */
  List<String> report() {
    List<String> never = new ArrayList<>();
    long seen = met.values().stream().mapToLong(Set::size).sum();
    for (Map.Entry<String, Set<String>> step : met.entrySet()) {
      kinds.stream()
          .filter(kind -> !step.getValue().contains(kind.getSimpleName()))
          .filter(kind -> canBe(step.getKey(), step.getValue(), kind))
          .map(kind -> "  never met: " + step.getKey() + " x " + kind.getSimpleName())
          .sorted()
          .forEach(never::add);
    }
    steps.stream()
        .filter(step -> !met.containsKey(step))
        .map(step -> "  never reached: " + step)
        .sorted()
        .forEach(never::add);
    long pairs = (long) steps.size() * kinds.size();
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: steps=%d kinds=%d pairs=%d met=%d impossible=%d never=%d"
            .formatted(
                machine,
                steps.size(),
                kinds.size(),
                pairs,
                seen,
                pairs - seen - never.size(),
                never.size()));
    lines.addAll(never);
    return lines;
  }

  /**
   * Whether a step that was reached could meet such an event. While work is under way its outcome
   * is the very next event: that of this very work, or that it failed; and where none is, no
   * outcome comes. Of what was awaited, the machine takes no notice unless the step awaits it, and
   * a session is recovered only where it begins. The rest the machine itself says.
   */
  private boolean canBe(String step, Set<String> metThere, Class<?> kind) {
    boolean works =
        kinds.stream().filter(outcome).anyMatch(of -> metThere.contains(of.getSimpleName()));
    if (outcome.test(kind) != works || awaited.test(kind)) {
      return false;
    }
    if (works && !kind.getSimpleName().equals("Failed")) {
      return false;
    }
    Object event = events.get(kind.getSimpleName());
    return event == null || !refuses(states.get(step), event);
  }

  /** Whether the machine says of that pair that it cannot be. */
  private boolean refuses(Object state, Object event) {
    try {
      step.apply(state, event);
      return false;
    } catch (IllegalStateException | ClassCastException cannotBe) {
      return true;
    }
  }

  static List<Coverage> all() {
    return Arrays.asList(SOURCE, DESTINATION, TRANSFER);
  }
}
