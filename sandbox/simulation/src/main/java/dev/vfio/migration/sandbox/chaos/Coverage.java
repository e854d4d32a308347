package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.DestinationMachine;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.Moment;
import dev.vfio.migration.agent.machine.SourceEvent;
import dev.vfio.migration.agent.machine.SourceMachine;
import dev.vfio.migration.agent.machine.SourceState;
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
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which kinds of event the steps of one machine have met, over all schedules of this process. A
 * pair that was never met either cannot be, because the machine itself refuses it, or is told.
 * Thread-safe.
 */
final class Coverage {
  private static final Moment MOMENT = new Moment(1, 1);

  static final Coverage SOURCE =
      new Coverage(
          "SourceMachine",
          kindsOf(SourceEvent.class),
          (state, event) ->
              new SourceMachine(Timings.USUAL)
                  .step(
                      (SourceState) state,
                      SourceEvent.class.cast(now(event, ((SourceState) state).epoch())),
                      MOMENT));

  static final Coverage DESTINATION =
      new Coverage(
          "DestinationMachine",
          kindsOf(DestinationEvent.class),
          (state, event) ->
              new DestinationMachine(Timings.USUAL)
                  .step(
                      (DestinationState) state,
                      DestinationEvent.class.cast(now(event, ((DestinationState) state).epoch())),
                      MOMENT));

  static final Coverage TRANSFER =
      new Coverage(
          "TransferMachine",
          kindsOf(TransferEvent.class),
          (state, event) ->
              new TransferMachine(ModelDevice.ID, "handover.sock")
                  .next((TransferState) state, (TransferEvent) event));

  private final String machine;
  private final Set<Class<?>> kinds;
  private final BiFunction<Object, Object, Object> step;
  private final Map<String, Set<String>> met = new ConcurrentSkipListMap<>();
  private final Map<String, Object> states = new ConcurrentHashMap<>();
  private final Map<String, Object> events = new ConcurrentHashMap<>();

  private Coverage(String machine, Set<Class<?>> kinds, BiFunction<Object, Object, Object> step) {
    this.machine = machine;
    this.kinds = kinds;
    this.step = step;
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

  /** How many pairs were met, and those that were not although the machine would take them. */
  List<String> report() {
    List<String> never = new ArrayList<>();
    long seen = met.values().stream().mapToLong(Set::size).sum();
    long refused = 0;
    for (Map.Entry<String, Set<String>> step : met.entrySet()) {
      for (Class<?> kind : kinds) {
        String name = kind.getSimpleName();
        if (step.getValue().contains(name)) {
          continue;
        }
        Object event = events.get(name);
        if (event == null || refuses(states.get(step.getKey()), event)) {
          refused++;
        } else {
          never.add(step.getKey() + " x " + name);
        }
      }
    }
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: steps=%d kinds=%d pairs=%d met=%d impossible=%d never=%d"
            .formatted(
                machine,
                met.size(),
                kinds.size(),
                met.size() * kinds.size(),
                seen,
                refused,
                never.size()));
    never.stream().sorted().forEach(pair -> lines.add("  never met: " + pair));
    return lines;
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
