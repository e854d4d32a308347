package dev.vfio.migration.operator;

import static java.lang.annotation.ElementType.FIELD;
import static java.lang.annotation.ElementType.METHOD;
import static java.lang.annotation.ElementType.PARAMETER;

import jakarta.inject.Qualifier;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * The clock from which durations within this process are counted; it is never set back or forth. A
 * clock without this qualifier is the time of day, for what people read.
 */
@Qualifier
@Retention(RetentionPolicy.RUNTIME)
@Target({METHOD, PARAMETER, FIELD})
public @interface Steady {}
