package dev.vfio.migration.operator.reconciler;

import com.google.protobuf.ByteString;
import dev.vfio.migration.contract.v1.ActivateRequest;
import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.PrepareDestinationResponse;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.RollBackRequest;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.SwitchOverRequest;
import dev.vfio.migration.contract.v1.VerifyLoadedRequest;
import dev.vfio.migration.operator.agents.AgentConnection;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.RefusedException;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Settings;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.record.MigrationStore;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jboss.logging.Logger;

/**
 * Carries commands to the agents. A command that was given is given again only after {@link
 * #PATIENCE} or on a new connection; agents do nothing twice, this merely spares them.
 *
 * <p>Keeps the one-time tokens of the state streams, in memory only: after a restart
 * PrepareDestination is repeated and answers with the same token. Thread-safe.
 */
final class Commander {
  static final Duration PATIENCE = Duration.ofSeconds(2);

  private static final Logger LOG = Logger.getLogger(Commander.class);

  private final AgentDirectory agents;
  private final FencingNumber fencing;
  private final MigrationStore store;
  private final Clock steady;

  /** As listed when it was validated: asking again would ask every device of the node. */
  private final Map<String, Device> sourceDevices = new ConcurrentHashMap<>();

  private final Map<String, Ticket> tickets = new ConcurrentHashMap<>();
  private final Map<Given, Moment> given = new ConcurrentHashMap<>();

  private record Given(String claim, Class<?> command, Role side) {}

  private record Moment(Instant at, long epoch) {}

  /**
   * Where the destination listens and the secret that opens it. Does not show the secret.
   *
   * @param host empty: where the operator reaches the destination's agent
   * @param windows what the destination has made memory ready for
   */
  private record Ticket(String host, int port, ByteString token, List<DmaWindow> windows) {
    static Ticket in(PrepareDestinationResponse response) {
      return new Ticket(
          response.getStateHost(),
          response.getStatePort(),
          response.getToken(),
          response.getWindowsList());
    }

    @Override
    public String toString() {
      return "ticket for port " + port;
    }
  }

  Commander(AgentDirectory agents, FencingNumber fencing, MigrationStore store, Clock steady) {
    this.agents = agents;
    this.fencing = fencing;
    this.store = store;
    this.steady = steady;
  }

  /** Gives {@code commands}, in order, and returns what came back. */
  Answers carryOut(DeviceMigration migration, Observation seen, List<Command> commands) {
    Answers answers = Answers.none();
    for (Command command : commands) {
      if (command instanceof Command.Delete) {
        LOG.info("Deleted: ttlSecondsAfterFinished is over");
        store.delete(migration);
        continue;
      }
      Given key = new Given(seen.claim(), command.getClass(), command.side());
      AgentConnection agent = agentOf(command.side(), seen.settings());
      if (isDue(key, agent)) {
        give(migration, seen, command, agent, answers);
        if (!isQuestion(command) || answers.refusal(command.side()).isPresent()) {
          given.put(key, new Moment(steady.instant(), agent.epoch()));
        }
      }
    }
    return answers;
  }

  /** What is asked again whenever it must be known again. */
  private static boolean isQuestion(Command command) {
    return command instanceof Command.Inspect || command instanceof Command.VerifyLoaded;
  }

  private boolean isDue(Given key, AgentConnection agent) {
    Moment last = given.get(key);
    return last == null
        || last.epoch() != agent.epoch()
        || Duration.between(last.at(), steady.instant()).compareTo(PATIENCE) >= 0;
  }

  private void give(
      DeviceMigration migration,
      Observation seen,
      Command command,
      AgentConnection agent,
      Answers answers) {
    DeviceLocation at = location(command.side(), seen.settings());
    try {
      if (command instanceof Command.Inspect) {
        Optional<Device> device = inspect(agent, at.device());
        if (command.side() == Role.SOURCE) {
          device.ifPresent(listed -> sourceDevices.put(seen.claim(), listed));
        }
        answers.inspected(command.side(), new Side.Inspection(device));
        return;
      }
      CommandHeader header =
          CommandHeader.newBuilder()
              .setMigrationUid(seen.uid())
              .setAttempt(seen.attempt())
              .setFencingNumber(fencing.current())
              .setMigrationName(migration.qualifiedName())
              .build();
      LOG.infof("%s -> %s", command.getClass().getSimpleName(), at);
      long asked = agent.epoch();
      Session session = send(command, header, seen, agent);
      agent.accept(session, asked);
      if (command instanceof Command.VerifyLoaded) {
        answers.verified(command.side(), session);
      } else {
        answers.carriedOut();
      }
    } catch (RefusedException refused) {
      LOG.warnf(
          "%s -> %s was not carried out: %s",
          command.getClass().getSimpleName(), at, refused.getMessage());
      answers.refused(
          command.side(),
          new Side.Refusal(command, refused.reason(), explained(refused), refused.lasting()));
    }
  }

  private String explained(RefusedException refused) {
    return refused.reason() == Reason.STALE_FENCING_NUMBER
        ? refused.getMessage()
            + " (This leader's number is "
            + fencing.current()
            + ": an operator whose lease is newer commands that agent or did so. Stop the other"
            + " operator. Where there is none, because the cluster's data is older than the agent's"
            + " (restored, or a new cluster), see STALE_FENCING_NUMBER in docs/troubleshooting.md.)"
        : refused.getMessage();
  }

  private Session send(
      Command command, CommandHeader header, Observation seen, AgentConnection agent)
      throws RefusedException {
    if (command instanceof Command.PrepareDestination) {
      return prepare(header, seen, agent).getSession();
    }
    if (command instanceof Command.StartSource) {
      return start(header, seen, agent);
    }
    if (command instanceof Command.SwitchOver) {
      return agent.call(
          stub -> stub.switchOver(SwitchOverRequest.newBuilder().setHeader(header).build()));
    }
    if (command instanceof Command.VerifyLoaded) {
      return agent.call(
          stub -> stub.verifyLoaded(VerifyLoadedRequest.newBuilder().setHeader(header).build()));
    }
    if (command instanceof Command.Activate) {
      return agent.call(
          stub -> stub.activate(ActivateRequest.newBuilder().setHeader(header).build()));
    }
    if (command instanceof Command.Commit) {
      return agent.call(stub -> stub.commit(CommitRequest.newBuilder().setHeader(header).build()));
    }
    if (command instanceof Command.RollBack rollBack) {
      return agent.call(
          stub ->
              stub.rollBack(
                  RollBackRequest.newBuilder()
                      .setHeader(header)
                      .setReason(rollBack.reason())
                      .build()));
    }
    if (command instanceof Command.Cancel) {
      return agent.call(stub -> stub.cancel(CancelRequest.newBuilder().setHeader(header).build()));
    }
    throw new IllegalArgumentException("no agent carries out " + command);
  }

  private static Optional<Device> inspect(AgentConnection agent, String device)
      throws RefusedException {
    return agent
        .call(stub -> stub.listDevices(ListDevicesRequest.newBuilder().setDevice(device).build()))
        .getDevicesList()
        .stream()
        .filter(listed -> listed.getId().equals(device))
        .findFirst();
  }

  private PrepareDestinationResponse prepare(
      CommandHeader header, Observation seen, AgentConnection destination) throws RefusedException {
    Settings settings = seen.settings();
    Device sourceDevice = sourceDevices.get(seen.claim());
    if (sourceDevice == null) {
      sourceDevice =
          inspect(agentOf(Role.SOURCE, settings), settings.source().device())
              .orElse(Device.getDefaultInstance());
    }
    PrepareDestinationRequest request =
        PrepareDestinationRequest.newBuilder()
            .setHeader(header)
            .setDevice(settings.destination().device())
            .setSourceNode(settings.source().nodeName())
            .setSourceDevice(sourceDevice)
            .setStreams(settings.streams())
            .build();
    PrepareDestinationResponse response =
        destination.call(stub -> stub.prepareDestination(request));
    tickets.put(seen.claim(), Ticket.in(response));
    return response;
  }

  private Session start(CommandHeader header, Observation seen, AgentConnection source)
      throws RefusedException {
    Settings settings = seen.settings();
    AgentConnection destination = agentOf(Role.DESTINATION, settings);
    Ticket ticket = tickets.get(seen.claim());
    if (ticket == null) {
      ticket = Ticket.in(prepare(header, seen, destination));
    }
    if (ticket.token().isEmpty() || ticket.port() == 0) {
      throw RefusedException.tooEarly(
          "the destination's one-time token was used, so the source has been started; waiting for"
              + " its agent's report");
    }
    if (!(destination.state() instanceof Side.Reachable reachable)) {
      throw destination.outOfReach();
    }
    StartSourceRequest request =
        StartSourceRequest.newBuilder()
            .setHeader(header)
            .setDevice(settings.source().device())
            .setDestinationNode(settings.destination().nodeName())
            .setDestinationHost(ticket.host().isEmpty() ? reachable.host() : ticket.host())
            .setDestinationPort(ticket.port())
            .setToken(ticket.token())
            .setMode(settings.mode() == Convergence.Mode.LIVE ? Mode.LIVE : Mode.COLD)
            .setStreams(settings.streams())
            .setBandwidthLimit(settings.bandwidthLimit())
            .setThresholdBytes(settings.rule().thresholdBytes())
            .addAllWindows(ticket.windows())
            .build();
    return source.call(stub -> stub.startSource(request));
  }

  private AgentConnection agentOf(Role side, Settings settings) {
    return agents.agentOf(location(side, settings).nodeName());
  }

  private static DeviceLocation location(Role side, Settings settings) {
    return side == Role.SOURCE ? settings.source() : settings.destination();
  }

  void forget(String uid) {
    sourceDevices.keySet().removeIf(claim -> claim.startsWith(uid + "/"));
    tickets.keySet().removeIf(claim -> claim.startsWith(uid + "/"));
    given.keySet().removeIf(key -> key.claim().startsWith(uid + "/"));
  }
}
