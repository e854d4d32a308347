package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.text.ForeignText;
import io.fabric8.kubernetes.api.model.MicroTime;
import io.fabric8.kubernetes.api.model.ObjectReferenceBuilder;
import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.fabric8.kubernetes.api.model.events.v1.EventBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Events of {@code events.k8s.io/v1}, as {@code kubectl describe} shows them. One thread writes
 * them in the order in which they were recorded, so that no decision waits for that; a backlog of
 * more than {@link #MAX_BACKLOG} is dropped with a log line. Events of migrations that touch
 * nothing, which anybody can cause without end, get half of it.
 */
public final class ApiServerEvents implements EventRecorder {
  static final int MAX_BACKLOG = 1000;

  private static final Set<EventReason> OF_UNTOUCHED =
      EnumSet.of(
          EventReason.WAITING,
          EventReason.VALIDATED,
          EventReason.REFUSED,
          EventReason.CANCELLED,
          EventReason.UNREADABLE);

  /** Bytes of UTF-8 that events.k8s.io allows. */
  static final int MAX_NOTE = 1024;

  /** Characters that the name of an object may have. */
  static final int MAX_NAME = 253;

  private static final Logger LOG = Logger.getLogger(ApiServerEvents.class);
  private static final DateTimeFormatter MICROS =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private final KubernetesClient client;
  private final Clock clock;
  private final String instance;
  private final ThreadPoolExecutor writer =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_BACKLOG),
          task -> {
            Thread thread = new Thread(task, "events");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param instance which replica records: the identity it has in the lease
   */
  public ApiServerEvents(KubernetesClient client, Clock clock, String instance) {
    this.client = client;
    this.clock = clock;
    this.instance = instance;
  }

  @Override
  public void record(DeviceMigration about, EventReason reason, String note) {
    if (OF_UNTOUCHED.contains(reason) && writer.getQueue().size() >= MAX_BACKLOG / 2) {
      dropped(about, reason);
      return;
    }
    Event event = event(about, reason, note, clock.instant());
    try {
      writer.execute(() -> write(event));
    } catch (RejectedExecutionException full) {
      dropped(about, reason);
    }
  }

  private static void dropped(DeviceMigration about, EventReason reason) {
    LOG.warnf(
        "Event %s of %s is dropped: too many wait to be written",
        reason.text(), about.qualifiedName());
  }

  private void write(Event event) {
    try {
      client.resource(event).create();
    } catch (KubernetesClientException refused) {
      LOG.warnf(
          "Event %s of %s/%s could not be written: %s",
          event.getReason(),
          event.getRegarding().getNamespace(),
          event.getRegarding().getName(),
          refused.getMessage());
    }
  }

  private Event event(DeviceMigration about, EventReason reason, String note, Instant now) {
    return new EventBuilder()
        .withNewMetadata()
        .withNamespace(about.getMetadata().getNamespace())
        .withName(nameFor(about.getMetadata().getName()))
        .endMetadata()
        .withEventTime(new MicroTime(MICROS.format(now)))
        .withReportingController(DeviceMigration.GROUP + "/operator")
        .withReportingInstance(instance.length() > 128 ? instance.substring(0, 128) : instance)
        .withAction("Migrate")
        .withReason(reason.text())
        .withType(reason.warning() ? "Warning" : "Normal")
        .withNote(ForeignText.line(note, MAX_NOTE))
        .withRegarding(
            new ObjectReferenceBuilder()
                .withApiVersion(about.getApiVersion())
                .withKind(about.getKind())
                .withNamespace(about.getMetadata().getNamespace())
                .withName(about.getMetadata().getName())
                .withUid(about.getMetadata().getUid())
                .withResourceVersion(about.getMetadata().getResourceVersion())
                .build())
        .build();
  }

  /** Its own, beginning with the object's name as far as that fits. */
  private static String nameFor(String object) {
    String own = "." + UUID.randomUUID().toString().replace("-", "").substring(0, 16);
    String beginning = object.substring(0, Math.min(object.length(), MAX_NAME - own.length()));
    return beginning.replaceAll("[-.]+$", "") + own;
  }

  @Override
  public void close() {
    writer.shutdown();
  }
}
