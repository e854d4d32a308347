package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.Steady;
import dev.vfio.migration.operator.agents.AgentConnection;
import dev.vfio.migration.operator.agents.RefusedException;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.operator.decision.Command.AgentCommand;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.reconciler.AgentCalls.Answered;
import dev.vfio.migration.operator.reconciler.AgentCalls.Listed;
import dev.vfio.migration.operator.reconciler.AgentCalls.Reported;
import dev.vfio.migration.operator.reconciler.CallsUnderWay.Call;
import dev.vfio.migration.operator.reconciler.CallsUnderWay.Reply;
import dev.vfio.migration.operator.record.MigrationStore;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;

/**
 * Carries commands out. A command that was given is given again only after {@link #REPEAT_AFTER} or
 * on a new connection; agents do nothing twice, this merely spares them. No thread waits for an
 * agent that is slow: see {@link CallsUnderWay}. Thread-safe.
 */
@Singleton
final class Commander {
  static final Duration REPEAT_AFTER = Duration.ofSeconds(2);

  /** How long an answer to VerifyLoaded counts; what is older is verified again. */
  static final Duration OLDEST_VERIFICATION = Duration.ofSeconds(1);

  private static final Logger LOG = Logger.getLogger(Commander.class);

  private final AgentCalls agents;
  private final MigrationStore store;
  private final Clock steady;
  private final Duration callTimeout;
  private final CallsUnderWay calls;
  private final Map<Given, Moment> given = new ConcurrentHashMap<>();

  private record Given(String claim, Class<?> command, Role side) {}

  private record Moment(Instant at, long epoch) {}

  Commander(
      AgentCalls agents,
      MigrationStore store,
      @Steady Clock steady,
      CallTimeout timeout,
      AgentEvents events) {
    this.agents = agents;
    this.store = store;
    this.steady = steady;
    this.callTimeout = timeout.length();
    this.calls = new CallsUnderWay(steady, events::answered);
  }

  /**
   * Gives {@code commands} and returns the answers that have come back. Nobody waits for the
   * others: the migration is reconciled once they come.
   */
  Answers act(DeviceMigration migration, Observation seen, List<Command> commands) {
    Answers answers = Answers.none();
    List<Call> asked = new ArrayList<>();
    Giving giving = new Giving(migration, seen);
    commands.forEach(command -> command.handle(giving).ifPresent(asked::add));
    long deadline = System.nanoTime() + CallsUnderWay.SHORT.toNanos();
    asked.forEach(call -> calls.awaitShortly(call, deadline));
    // Where both devices are inspected, one answer without the other is of no use.
    boolean inspected = asked.stream().filter(Commander::isInspection).allMatch(Call::isAnswered);
    asked.stream()
        .filter(Call::isAnswered)
        .filter(call -> inspected || !isInspection(call))
        .forEach(call -> calls.take(call, answers));
    return answers;
  }

  private static boolean isInspection(Call call) {
    return call.command() == Command.Inspect.class;
  }

  /** Gives the commands for one migration; yields the call, where there is one to wait for. */
  private final class Giving implements Command.Handler<Optional<Call>> {
    private final DeviceMigration migration;
    private final Observation seen;

    Giving(DeviceMigration migration, Observation seen) {
      this.migration = migration;
      this.seen = seen;
    }

    @Override
    public Optional<Call> delete(Command.Delete command) {
      LOG.info("Deleted: ttlSecondsAfterFinished is over");
      store.delete(migration);
      return Optional.empty();
    }

    /** The call for a command, which may have been answered by now; empty where it is not due. */
    @Override
    public Optional<Call> agent(AgentCommand command) {
      AgentConnection agent = agents.agentOf(command.side(), seen.settings());
      DeviceLocation at = AgentCalls.location(command.side(), seen.settings());
      CallsUnderWay.Key key = key(seen, command);
      Optional<Call> known =
          calls.find(
              key, command instanceof Command.VerifyLoaded ? OLDEST_VERIFICATION : callTimeout);
      Given last = new Given(seen.claim(), command.getClass(), command.side());
      if (known.isPresent()
          || !isDue(last, agent)
          || (command.canWait() && calls.isFull(at.nodeName()))) {
        return known;
      }
      return Optional.of(calls.begin(key, at.nodeName(), begin(command, agent, at, last)));
    }

    private CompletableFuture<Reply> begin(
        AgentCommand command, AgentConnection agent, DeviceLocation at, Given key) {
      Moment moment = new Moment(steady.instant(), agent.epoch());
      CompletableFuture<Void> prepared = calls.end(key(seen, new Command.PrepareDestination()));
      CompletableFuture<Answered> call =
          command.handleByAgent(agents.new For(seen, () -> header(migration, seen), prepared));
      // Only now: a command without a number is not given.
      if (!(command instanceof Command.Inspect)) {
        LOG.infof("%s -> %s", command.getClass().getSimpleName(), at);
      }
      return call.thenApply(
              answered ->
                  answered instanceof Listed listed
                      ? inspected(seen, command, listed)
                      : reported(command, agent, key, moment, (Reported) answered))
          .exceptionally(failure -> refused(seen, command, at, key, moment, failure));
    }

    private Reply reported(
        AgentCommand command, AgentConnection agent, Given key, Moment moment, Reported answered) {
      agent.accept(answered.session(), moment.epoch());
      // The stream of sessions may have reported more by now than this answer does.
      calls.unlessForgotten(key(seen, command), () -> agents.keepTicket(seen, answered));
      return answers -> {
        agents.keepTicket(seen, answered);
        if (command.isQuestion()) {
          answers.verified(command.side(), answered.session());
        } else {
          given.put(key, moment);
          answers.carriedOut();
        }
      };
    }
  }

  private CommandHeader header(DeviceMigration migration, Observation seen) {
    return CommandHeader.newBuilder()
        .setMigrationUid(seen.uid())
        .setAttempt(seen.attempt())
        .setFencingNumber(seen.fencingNumber().orElseThrow())
        .setMigrationName(migration.qualifiedName())
        .build();
  }

  private static CallsUnderWay.Key key(Observation seen, Command command) {
    return new CallsUnderWay.Key(
        seen.uid(), seen.attempt(), seen.status().phase(), command.getClass(), command.side());
  }

  private boolean isDue(Given key, AgentConnection agent) {
    Moment last = given.get(key);
    return last == null
        || last.epoch() != agent.epoch()
        || Duration.between(last.at(), steady.instant()).compareTo(REPEAT_AFTER) >= 0;
  }

  private Reply inspected(Observation seen, Command command, Listed listed) {
    return answers -> {
      if (command.side() == Role.SOURCE) {
        listed.device().ifPresent(device -> agents.keepSourceDevice(seen, device));
      }
      answers.inspected(command.side(), new Side.Inspection(listed.device()));
    };
  }

  private Reply refused(
      Observation seen,
      Command command,
      DeviceLocation at,
      Given key,
      Moment moment,
      Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (!(cause instanceof RefusedException refused)) {
      throw new CompletionException(cause);
    }
    return answers -> {
      LOG.warnf(
          "%s -> %s was not carried out: %s",
          command.getClass().getSimpleName(), at, refused.getMessage());
      given.put(key, moment);
      answers.refused(
          command.side(),
          new Side.Refusal(command, refused.reason(), explained(seen, refused), refused.lasting()));
    };
  }

  private static String explained(Observation seen, RefusedException refused) {
    return refused.reason() == Reason.STALE_FENCING_NUMBER
        ? refused.getMessage()
            + " (This leader's number is "
            + Long.toUnsignedString(seen.fencingNumber().orElse(0))
            + ": an operator whose lease is newer commands that agent or did so. Stop the other"
            + " operator. Where there is none, because the cluster's data is older than the agent's"
            + " (restored, or a new cluster), see STALE_FENCING_NUMBER in docs/troubleshooting.md.)"
        : refused.getMessage();
  }

  void forget(String uid) {
    calls.forget(uid);
    agents.forget(uid);
    given.keySet().removeIf(key -> key.claim().startsWith(uid + "/"));
  }
}
