package dev.vfio.migration.sandbox.devices.workload;

import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Who asks: {@code UID/ATTEMPT}. Immutable.
 *
 * <p>What one migration has paused, no other may resume, pause or release: two migrations that both
 * believe they hold a workload is how one gets run twice. A later attempt of the same migration may
 * take over from an earlier one, since an operator makes it only after it has given the earlier one
 * up; an earlier attempt that comes late is refused.
 *
 * @param migration the UID of the migration
 * @param attempt from 0
 */
public record MigrationKey(String migration, long attempt) {
  private static final Pattern NOTATION = Pattern.compile("([^/\\s]{1,253})/([0-9]{1,18})");

  /**
   * @throws RefusalException EINVAL if {@code text} is not UID/ATTEMPT
   */
  public static MigrationKey parse(String text) throws RefusalException {
    Matcher matcher = NOTATION.matcher(text);
    if (!matcher.matches()) {
      throw new RefusalException(
          Errno.EINVAL, "a migration is named UID/ATTEMPT, not '" + text + "'");
    }
    return new MigrationKey(matcher.group(1), Long.parseLong(matcher.group(2)));
  }

  /** Whether this one may go on with what {@code holder} has begun. */
  public boolean mayFollow(MigrationKey holder) {
    return migration.equals(holder.migration) && attempt >= holder.attempt;
  }

  @Override
  public String toString() {
    return migration + "/" + attempt;
  }
}
